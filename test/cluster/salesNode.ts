/** A node with projections and a reaction, as a process: it takes the flags of the example's nodes. */
import { appendFileSync } from "node:fs"
import { createServer } from "node:http"
import { parseArgs } from "node:util"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import * as Lithair from "../../src/Lithair.ts"
import { eventId } from "../../src/Projection.ts"
import * as Reaction from "../../src/Reaction.ts"
import { makeFaulty, makeHistory, makeOrders, makeSpent, models, Order } from "../Projection/Sales.ts"

const { values } = parseArgs({
  options: { port: { type: "string" }, peers: { type: "string", default: "" }, data: { type: "string", default: "" } }
})
const port = Number(values.port)
const addresses = values.peers.split(",").flatMap((peer) => (peer === "" ? [] : [`127.0.0.1:${peer}`]))
/** Another one has the projections made anew. */
const version = Number(process.env.SALES_VERSION ?? 1)

/** One line for each mail that is sent, in a file that all nodes share: written at once, whoever dies then. */
const mails = process.env.SALES_MAILS ?? ""
const mail = Reaction.make("mail", {
  from: [Order],
  run: (event) => Effect.sync(() => appendFileSync(mails, `${port} ${eventId(event)} ${event.record.customer}\n`))
})

const node = Lithair.launch(
  {
    models,
    projections: [makeSpent({ version }), makeHistory(), makeOrders({ version }), makeFaulty("mallory")],
    reactions: [mail],
    address: `127.0.0.1:${port}`,
    peers: addresses.map((address) => ({ id: address, address })),
    directory: values.data
  },
  NodeHttpServer.layer(createServer, { port, host: "127.0.0.1", gracefulShutdownTimeout: "500 millis" })
)
NodeRuntime.runMain(node)
