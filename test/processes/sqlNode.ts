/** A node with a projection into PostgreSQL, and the same in memory, as a process. It takes the flags of the example. */
import { PgClient } from "@effect/sql-pg"
import { Layer } from "effect"
import * as Lithair from "../../src/Lithair.ts"
import { run } from "../../src/node.ts"
import { makeSpent, models } from "../Projection/Sales.ts"
import { makeSqlOrders } from "../Sql/Orders.ts"
import { username } from "../support/Postgres.ts"

/** The test tells the transactions of the nodes from its own by it. */
const applicationName = "lithair-node"

const database = PgClient.layer({
  host: "127.0.0.1",
  port: Number(process.env.SQL_PORT),
  username,
  database: "postgres",
  applicationName,
  connectTimeout: "2 seconds"
})

run(Lithair.layerHttp({ models, projections: [makeSpent(), makeSqlOrders()] }).pipe(Layer.provide(database)))
