/** Replicated writes: POSTs of a small record that three nodes agree on and a majority has synced before the answer. */
import { product, readOptions } from "./Options.ts"
import { report } from "./Report.ts"
import { measure, type Variant } from "./Runs.ts"

const runs = await measure(readOptions(), async ({ followers, leader }) => {
  const post = (name: string, nodes: ReadonlyArray<{ readonly url: string }>): Variant => ({
    name,
    request: {
      urls: nodes.map(({ url }) => `${url}/api/products`),
      method: "POST",
      bodies: [product],
      expectedStatus: 201
    }
  })
  return [post("leader", [leader]), post("all nodes", [leader, ...followers])]
})
report("Writes", runs)
console.log("Lithair's seed, the project that this one follows: 240 writes/s and 10 ms.")
