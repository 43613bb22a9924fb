/** Prints the result of searching one small scope, as JSON: `node searchScope.ts <name>`. The mutation tests run it with a fault in the sources. */
import { search } from "./SmallScope.ts"
import { smallScopes } from "./smallScopes.ts"

const [name] = process.argv.slice(2)
const scope = smallScopes.find((each) => each.name === name)
if (scope === undefined) throw new Error(`there is no scope "${name}"`)
console.log(JSON.stringify(search(scope)))
