/** One node with everything, as its flags say: `node hello.ts --port 8081 --peers 8082,8083`. Without flags, three nodes. */
import { Lithair } from "lithair"
import { run } from "lithair/node"
import { Product } from "./models.ts"

run(Lithair.layerHttp({ models: [Product] }))
