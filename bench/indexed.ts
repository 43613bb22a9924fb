/** A node of one model with three indexes, to measure how fast it starts again and what its records take. */
import { Lithair } from "lithair"
import { run } from "lithair/node"
import { Item } from "./Item.ts"

run(Lithair.layerHttp({ models: [Item] }))
