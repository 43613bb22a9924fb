/** A node with projections and a reaction, as a process: it takes the flags of the example's nodes. */
import { appendFileSync, existsSync } from "node:fs"
import { Effect } from "effect"
import * as Lithair from "../../src/Lithair.ts"
import { run } from "../../src/node.ts"
import { eventId } from "../../src/Projection.ts"
import * as Reaction from "../../src/Reaction.ts"
import { makeFaulty, makeHistory, makeOrders, makeSpent, models, Order } from "../Projection/Sales.ts"

/** Named in each mail; the command line reads it too. */
const port = process.argv[process.argv.indexOf("--port") + 1]
/** Another one has the projections made anew. */
const version = Number(process.env.SALES_VERSION ?? 1)

/** One line for each mail, in a file that all nodes share. It is written at once, so that a death afterwards loses none. */
const mails = process.env.SALES_MAILS ?? ""
const mail = Reaction.make("mail", {
  from: [Order],
  run: (event) =>
    Effect.suspend(() => {
      if (event.record.customer === "nobody" && !existsSync(`${mails}.repaired`)) {
        return Effect.fail(new Error("no such address"))
      }
      return Effect.sync(() => appendFileSync(mails, `${port} ${eventId(event)} ${event.record.customer}\n`))
    })
})

run(
  Lithair.layerHttp({
    models,
    projections: [makeSpent({ version }), makeHistory(), makeOrders({ version }), makeFaulty("mallory")],
    reactions: [mail]
  })
)
