/** A program that transfers money by the client, on the bank that `npm run bank` runs. See README.md. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Config, Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { FetchHttpClient } from "effect/http"
import * as Client from "lithair/client"
import type { Repository } from "lithair/repository"
import { transfer } from "../models.ts"
import { statement } from "./statement.ts"

const nodes = Flag.String("nodes").pipe(
  Flag.withDescription("The URLs of nodes, separated by commas"),
  Flag.withFallbackConfig(Config.String("LITHAIR_NODES")),
  Flag.withDefault("http://127.0.0.1:8081,http://127.0.0.1:8082,http://127.0.0.1:8083")
)

const key = Flag.String("key").pipe(
  Flag.withDescription("The key of a transfer that was sent before, so that it is done only once"),
  Flag.optional
)

/** Says why a transfer was not confirmed, and what to do. */
const saidOf = (error: Effect.Error<ReturnType<typeof send>>): string => {
  switch (error._tag) {
    case "InsufficientFunds":
      return `Not done: there is only ${error.balance}`
    case "Problem":
      return `Not done: ${error.message}`
    case "UnknownOutcome":
      return `${error.message}. Send it again with --key ${error.key}`
    case "Unreadable":
      return `Done, and the answer cannot be read: ${error.message}`
  }
}

const send = (client: Repository["Service"], transferred: typeof transfer.payload.Type, key: Option.Option<string>) =>
  client.run(transfer, transferred, Option.isSome(key) ? { key: key.value } : {})

const pay = Effect.fnUntraced(function* (asked: {
  readonly from: string
  readonly to: string
  readonly amount: string
  readonly nodes: string
  readonly key: Option.Option<string>
}) {
  const { amount, from, key, to } = asked
  const [first = "", ...others] = asked.nodes.split(",")
  const client = yield* Client.make({ nodes: [first, ...others] })
  const { id } = yield* Effect.tapError(send(client, { from, to, amount }, key), (error) =>
    Console.error(saidOf(error))
  )
  yield* Console.log(`Transferred by ${id}`)
  const entries = yield* client.projections.getKey(statement, from).pipe(
    Effect.map((found) => Option.match(found, { onNone: () => [], onSome: ({ entries }) => entries })),
    Effect.tapError(({ message }) => Console.error(`The statement cannot be read: ${message}`))
  )
  for (const { balance, change } of entries) yield* Console.log(`${change.padStart(12)} ${balance.padStart(12)}`)
})

Command.make(
  "pay",
  { from: Argument.String("from"), to: Argument.String("to"), amount: Argument.String("amount"), nodes, key },
  pay
).pipe(
  Command.withDescription("Transfers an amount from one account to another, once, also if nodes fail meanwhile"),
  Command.run({ version: "0.1.0" }),
  Effect.provide([NodeServices.layer, FetchHttpClient.layer]),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
