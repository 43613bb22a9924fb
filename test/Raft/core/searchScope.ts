/** What one of the small scopes shows, as JSON: `node searchScope.ts <name>`. Run in copies of the sources with a fault in them. */
import { search } from "./SmallScope.ts"
import { smallScopes } from "./smallScopes.ts"

const [name] = process.argv.slice(2)
const scope = smallScopes.find((each) => each.name === name)
if (scope === undefined) throw new Error(`there is no scope "${name}"`)
console.log(JSON.stringify(search(scope)))
