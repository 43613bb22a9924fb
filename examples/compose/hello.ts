/** A whole node in six lines. Run one with `node hello.ts --port 8081 --peers 8082,8083`, or three without flags. */
import { Lithair } from "lithair"
import { run } from "lithair/node"
import { Product } from "./models.ts"

run(Lithair.layerHttp({ models: [Product] }))
