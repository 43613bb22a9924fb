/** Moves money from a program of its own, by the typed client, on the bank that `npm run bank` runs. See README.md. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, Console, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { FetchHttpClient } from "effect/http"
import * as Client from "../../src/Client.ts"
import { transfer } from "../models.ts"
import { statement } from "./statement.ts"

const nodes = Flag.String("nodes").pipe(
  Flag.withDescription("The URLs of nodes, separated by commas"),
  Flag.withFallbackConfig(Config.String("LITHAIR_NODES")),
  Flag.withDefault("http://127.0.0.1:8081,http://127.0.0.1:8082,http://127.0.0.1:8083")
)

const pay = Effect.fnUntraced(function* (asked: {
  readonly from: string
  readonly to: string
  readonly amount: string
  readonly nodes: string
}) {
  const { amount, from, to } = asked
  const [first = "", ...others] = asked.nodes.split(",")
  const client = yield* Client.make({ nodes: [first, ...others] })
  const { id } = yield* client.run(transfer, { from, to, amount })
  yield* Console.log(`Transferred by ${id}`)
  const { entries } = yield* Effect.flatMap(client.projections.getKey(statement, from), Effect.fromOption)
  for (const { balance, change } of entries) yield* Console.log(`${change.padStart(12)} ${balance.padStart(12)}`)
})

const saidOf = (error: Effect.Error<ReturnType<typeof pay>>): string => {
  switch (error._tag) {
    case "InsufficientFunds":
      return `Not done: there is only ${error.balance}`
    case "UnknownOutcome":
      return `${error.message}. Send it again with the key ${error.key}`
    default:
      return `Not done: ${error.message}`
  }
}

Command.make(
  "pay",
  { from: Argument.String("from"), to: Argument.String("to"), amount: Argument.String("amount"), nodes },
  (asked) => Effect.tapError(pay(asked), (error) => Console.error(saidOf(error)))
).pipe(
  Command.withDescription("Transfers an amount from one account to another, once, whatever nodes do meanwhile"),
  Command.run({ version: "0.1.0" }),
  Effect.provide([NodeServices.layer, FetchHttpClient.layer]),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
