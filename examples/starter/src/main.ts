/** One node, as its flags say: `node src/main.ts --port 8081 --peers 8082,8083`. Without flags, three nodes. */
import { Lithair } from "lithair"
import { run } from "lithair/node"
import { Task } from "./models.ts"

run(Lithair.layerHttp({ models: [Task] }))
