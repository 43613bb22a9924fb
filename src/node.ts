/** `lithair/node`: a node on Node, Bun and Deno, with its server, its flags and its main. Needs `@effect/platform-node`. */
import { NodeHttpServer, NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, Exit, Layer, Option, Runtime } from "effect"
import { CliError, CliOutput, Command } from "effect/cli"
import type { Etag, HttpPlatform, HttpServer, HttpServerError } from "effect/http"
import { layerHost, type NodePlace } from "./Lithair/Host.ts"
import { type Lifecycle, launch } from "./Lithair/Lifecycle.ts"
import type { PlaceFailure, PlaceOptions } from "./Lithair/Place.ts"
import type { StorageFailure } from "./Lithair/Storage.ts"
import { type DemoOptions, runDemo } from "./Node/Demo.ts"
import { flags, optionsOf } from "./Node/Flags.ts"
import { makeServer } from "./Node/HttpServer.ts"

import { formatHost } from "./Raft/peers/Address.ts"

export { type DemoOptions, NodeEnded } from "./Node/Demo.ts"
export { BadFlag } from "./Node/Peers.ts"

/** Where a server listens. */
export interface ServerOptions {
  readonly port: number
  /** `127.0.0.1` unless given. */
  readonly host?: string
}

/** What the server of a node gives to an application. */
export type ServerServices =
  | HttpServer.HttpServer
  | NodeServices.NodeServices
  | HttpPlatform.HttpPlatform
  | Etag.Generator

/** Open streams and peers' sockets do not keep a node that was told to stop for longer. */
const gracefulShutdownTimeout = "500 millis"
/** The largest message of a peer's socket. */
const maxPayload = 16 * 1024 * 1024
/** The server ends only with its last socket, and a peer that hangs does not say goodbye: by itself `ws` would wait for 30 s. */
const closeTimeout = 1_000
// The types of `ws` do not know `closeTimeout` yet.
const websocket = { maxPayload, closeTimeout }

/**
 * A server made for a node: it answers what its parser refuses, and requests that come before the application is there
 * or after it is gone; it closes within half a second.
 */
export const layerServer = ({
  host = "127.0.0.1",
  port
}: ServerOptions): Layer.Layer<ServerServices, HttpServerError.ServeError> =>
  NodeHttpServer.layer(makeServer, { port, host, gracefulShutdownTimeout, websocket })

/** Where a node listens, keeps its data, and finds its peers. */
export interface NodeOptions extends ServerOptions, Omit<PlaceOptions, "address"> {
  /** `host:port` unless given. */
  readonly address?: string
  readonly directory: string
}

/** All that a node asks for: a place on this machine's disk and network, and a server. */
export const layer = (
  options: NodeOptions
): Layer.Layer<NodePlace | ServerServices, StorageFailure | PlaceFailure | HttpServerError.ServeError> =>
  Layer.merge(
    layerHost({ ...options, address: options.address ?? `${formatHost(options.host ?? "127.0.0.1")}:${options.port}` }),
    layerServer(options)
  )

/** A node that was told to stop and stopped in order has done well. One that was removed has a code of its own. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  onExit(
    Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : Runtime.getErrorExitCode(Cause.squash(exit.cause))
  )

/** Our errors say what failed and why; some of the platform's have nothing but a cause. */
const messageOf = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error
  return error.message === "" && error.cause instanceof Error ? error.cause.message : error.message
}

/** One line that says what is wrong. The command line has reported its own errors. */
const reportFailure = (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  if (Cause.hasInterruptsOnly(cause) || CliError.isCliError(error)) return Effect.void
  return Console.error(`lithair: ${messageOf(error)}`)
}

/**
 * Runs a program until SIGINT or SIGTERM. Exits with 0 if it stopped in order. Otherwise one line says why, and the code
 * is 1, or 78 for a node that was removed from its cluster: starting it again does not help.
 */
export const runMain = <A, E>(program: Effect.Effect<A, E>): void =>
  program.pipe(Effect.tapCause(reportFailure), NodeRuntime.runMain({ disableErrorReporting: true, teardown }))

/** A bad flag is one line on stderr; help and version are as ever. */
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`lithair: ${event.errors.map(({ message }) => message).join("; ")} (--help says more)`)
      : CliOutput.defaultPresenter.present(event)
}

/**
 * Runs an application as the flags of this process say: one node with `--port` and `--peers`; without flags, a demo of
 * three nodes in three processes. Each flag has its `LITHAIR_*` variable, and `--help` lists them.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Lithair, Model } from "lithair"
 * import { run } from "lithair/node"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String.check(Schema.isUUID())),
 *   name: Schema.NonEmptyString.pipe(Model.replicate)
 * }) {}
 *
 * run(Lithair.layerHttp({ models: [Product] }))
 * ```
 */
export const run = <A, E>(
  application: Layer.Layer<A, E, NodePlace | ServerServices | Lifecycle>,
  demo: DemoOptions = {}
): void =>
  Command.make(
    "lithair",
    flags,
    Effect.fnUntraced(function* ({ port, ...others }) {
      if (Option.isNone(port)) return yield* runDemo(demo)
      const options = yield* optionsOf({ port: port.value, ...others }, demo.directory ?? ".lithair")
      yield* Console.log(`Lithair node ${options.id ?? options.address} starts at http://${options.address}`)
      return yield* launch(Layer.provide(application, layer(options)))
    })
  ).pipe(
    Command.withDescription("A Lithair cluster: three nodes without flags, one node with --port"),
    Command.run({ version: "0.1.0" }),
    Effect.provideService(CliOutput.Presenter, presenter),
    Effect.provide(NodeServices.layer),
    runMain
  )
