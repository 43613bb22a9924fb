/** The command line of an example: without flags three nodes as three processes, with `--port` and `--peers` one of them. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Config, Console, Effect, Exit, Option, type Runtime, Schema } from "effect"
import { CliError, CliOutput, Command, Flag } from "effect/cli"
import type { RaftConfig } from "../../src/Raft/RaftConfig.ts"
import { runDemo } from "./Demo.ts"
import type { Example } from "./Example.ts"
import { runNode } from "./OneNode.ts"
import { parsePeers } from "./Peers.ts"

const flags = {
  port: Flag.Int("port").pipe(
    Flag.withDescription("Run one node on this port"),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))),
    Flag.withFallbackConfig(Config.Int("LITHAIR_PORT")),
    Flag.optional
  ),
  peers: Flag.String("peers").pipe(
    Flag.withDescription("The other nodes: port, host:port or id=host:port, separated by commas"),
    Flag.withFallbackConfig(Config.String("LITHAIR_PEERS")),
    Flag.optional
  ),
  host: Flag.String("host").pipe(
    Flag.withDescription("The address to listen on, and by which the peers reach this node"),
    Flag.withFallbackConfig(Config.String("LITHAIR_HOST")),
    Flag.withDefault("127.0.0.1")
  ),
  data: Flag.String("data").pipe(
    Flag.withDescription("The directory of this node's data; one named by its port by default"),
    Flag.withFallbackConfig(Config.String("LITHAIR_DATA")),
    Flag.optional
  ),
  id: Flag.String("id").pipe(
    Flag.withDescription("The node's id, as its peers name it; its address by default"),
    Flag.withFallbackConfig(Config.String("LITHAIR_ID")),
    Flag.optional
  ),
  join: Flag.String("join").pipe(
    Flag.withDescription("A member, host:port, of a running cluster that is to take this empty node in"),
    Flag.withFallbackConfig(Config.String("LITHAIR_JOIN")),
    Flag.optional
  ),
  secret: Flag.String("secret").pipe(
    Flag.withDescription("The cluster's shared secret, without which only nodes of this host are peers"),
    Flag.withFallbackConfig(Config.String("LITHAIR_SECRET")),
    Flag.optional
  ),
  electionTimeoutMs: Flag.Int("election-timeout-ms").pipe(
    Flag.withDescription("A follower waits this long, or up to twice as long, for its leader; 300 by default"),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 100, maximum: 60_000 }))),
    Flag.withFallbackConfig(Config.Int("LITHAIR_ELECTION_TIMEOUT_MS")),
    Flag.optional
  ),
  readLeaseDriftMs: Flag.Int("read-lease-drift-ms").pipe(
    Flag.withDescription(
      "Let the leader read without a round, trusting that clocks drift apart by less than this meanwhile"
    ),
    Flag.withSchema(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
    Flag.withFallbackConfig(Config.Int("LITHAIR_READ_LEASE_DRIFT_MS")),
    Flag.optional
  ),
  retainEntries: Flag.Int("retain-entries").pipe(
    Flag.withDescription("Entries of history that stay in the log below a snapshot; all of it by default"),
    Flag.withSchema(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
    Flag.withFallbackConfig(Config.Int("LITHAIR_RETAIN_ENTRIES")),
    Flag.optional
  )
}

/** The bounds of consensus that flags change; all members are to be given the same. */
const raftOf = (flags: {
  readonly electionTimeoutMs: Option.Option<number>
  readonly readLeaseDriftMs: Option.Option<number>
  readonly retainEntries: Option.Option<number>
}): Partial<RaftConfig> => ({
  ...Option.match(flags.electionTimeoutMs, {
    onNone: () => ({}),
    onSome: (timeoutMs) => ({
      electionTimeoutMinMs: timeoutMs,
      electionTimeoutMaxMs: timeoutMs * 2,
      heartbeatIntervalMs: Math.ceil(timeoutMs / 6)
    })
  }),
  ...Option.match(flags.readLeaseDriftMs, {
    onNone: () => ({}),
    onSome: (driftBoundMs) => ({ readLease: { driftBoundMs } })
  }),
  ...Option.match(flags.retainEntries, { onNone: () => ({}), onSome: (logRetainedCount) => ({ logRetainedCount }) })
})

const commandOf = (example: Example) =>
  Command.make(
    "cluster",
    flags,
    Effect.fnUntraced(function* ({ data, host, id, join, peers, port, secret, ...bounds }) {
      if (Option.isNone(port)) return yield* runDemo(example)
      return yield* runNode(example, {
        host,
        port: port.value,
        id: Option.getOrUndefined(id),
        peers: yield* Effect.fromResult(
          parsePeers(
            Option.getOrElse(peers, () => ""),
            host
          )
        ),
        data: Option.getOrElse(data, () => `${example.directory}/${port.value}`),
        join: Option.getOrUndefined(join),
        secret: Option.getOrUndefined(secret),
        raft: raftOf(bounds)
      })
    })
  ).pipe(Command.withDescription("A Lithair cluster: three nodes without flags, one node with --port"))

/** A bad flag is one line on stderr; help and version are as ever. */
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`lithair: ${event.errors.map(({ message }) => message).join("; ")} (--help says more)`)
      : CliOutput.defaultPresenter.present(event)
}

/** One line that says what is wrong. What was wrong with a flag has been said. */
const reportFailure = (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  if (Cause.hasInterruptsOnly(cause) || CliError.isCliError(error)) return Effect.void
  const message = error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : error
  return Console.error(`lithair: ${message}`)
}

/** Told to stop, a node that has stopped in order has done well. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)

/** Runs an example as the flags of this process say. */
export const run = (example: Example): void =>
  commandOf(example).pipe(
    Command.run({ version: "0.1.0" }),
    Effect.tapCause(reportFailure),
    Effect.provideService(CliOutput.Presenter, presenter),
    Effect.provide(NodeServices.layer),
    NodeRuntime.runMain({ disableErrorReporting: true, teardown })
  )
