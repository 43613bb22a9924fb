/** The derived API of real nodes, held against its contract: a follower of three and a cluster of one answer alike. */
import { layer } from "@effect/vitest"
import { bodiesContract } from "./BodiesContract.ts"
import { keysContract } from "./KeysContract.ts"
import { listsContract } from "./ListsContract.ts"
import { pathsContract } from "./PathsContract.ts"
import { readsContract } from "./ReadsContract.ts"
import { recordsContract } from "./RecordsContract.ts"
import { layerAlone, layerFollower } from "./Served.ts"

const served = [
  { name: "a follower of three", cluster: layerFollower },
  { name: "a cluster of one", cluster: layerAlone }
]

for (const { cluster, name } of served) {
  layer(cluster, { excludeTestServices: true, timeout: "60 seconds" })(name, (it) => {
    pathsContract(it)
    bodiesContract(it)
    recordsContract(it)
    listsContract(it)
    readsContract(it)
    keysContract(it)
  })
}
