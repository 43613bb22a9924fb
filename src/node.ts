/** `lithair/node`: a node on Node, Bun and Deno, with its server, its flags and its main. Needs `@effect/platform-node`. */
// One by one: the package's index loads a Redis client too, which takes 24 MB of every node.
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Layer, Option, Result, Runtime } from "effect"
import { CliError, CliOutput, Command } from "effect/cli"
import { type Etag, type HttpPlatform, HttpServer, type HttpServerError } from "effect/http"
import { type BadTokenFile, layerAdminToken } from "./Http/AdminToken.ts"
import { findIn, servingIn } from "./Http/DirectRoutes.ts"
import type { EdgeOptions } from "./Http/EdgeOptions.ts"
import { OperatorServer } from "./Http/OperatorServer.ts"
import { ServerScheme } from "./Http/ServerScheme.ts"
import { version } from "./Http/Version.ts"
import { layerHost, type NodePlace } from "./Lithair/Host.ts"
import { type Lifecycle, launch } from "./Lithair/Lifecycle.ts"
import { peerAddressOf } from "./Lithair/PeerTls.ts"
import type { PlaceFailure, PlaceOptions } from "./Lithair/Place.ts"
import type { StorageFailure } from "./Lithair/Storage.ts"
import type { AdminOptions } from "./Node/AdminFlags.ts"
import type { ConnectionLimits } from "./Node/Connections.ts"
import { type DemoOptions, runDemo } from "./Node/Demo.ts"
import { flags, optionsOf } from "./Node/Flags.ts"
import { freeMemory } from "./Node/FreeMemory.ts"
import { makeServer, type NodeServer } from "./Node/HttpServer.ts"
import { answerInterrupted } from "./Node/Interrupted.ts"
import { formatListening, parseListening } from "./Node/Listening.ts"
import { follow, load, type TlsFiles } from "./Node/ServerTls.ts"
import { ownerOnlySocket, removeStale } from "./Node/UnixSocket.ts"
import { BadAddress, formatHost } from "./Raft/peers/Address.ts"
import { BadCertificate } from "./Raft/peers/Certificates.ts"
import type { PeersFailure } from "./Raft/peers/PeerSockets.ts"

export type { AdminOptions } from "./Node/AdminFlags.ts"
export { type DemoOptions, NodeEnded } from "./Node/Demo.ts"
export { BadFlag } from "./Node/Peers.ts"
export type { TlsFiles } from "./Node/ServerTls.ts"

/** The port and host on which a server listens. */
export interface ServerOptions {
  readonly port: number
  /** `127.0.0.1` by default. */
  readonly host?: string
  /** Bounds of connections: 10,000 in all and 256 of one address, unless it is of this host or of a trusted proxy. */
  readonly connections?: Partial<ConnectionLimits>
  /**
   * The settings of the node's edge. Its `trustedProxies` may open connections for all their clients, and those of the
   * application may too, once it serves.
   */
  readonly edge?: EdgeOptions
  /**
   * Serves clients under TLS, with the certificate of these files. Peers need `peerTls` then: they cannot come to a server
   * under TLS.
   */
  readonly tls?: TlsFiles
}

/** The unix socket on which a server listens. Only the user of the process can open it. */
export interface SocketOptions extends Pick<ServerOptions, "connections" | "edge"> {
  readonly path: string
}

/** The services that a node's server provides to an application. */
export type ServerServices =
  | HttpServer.HttpServer
  | NodeServices.NodeServices
  | HttpPlatform.HttpPlatform
  | Etag.Generator

/** Open streams and peers' connections keep a stopping node no longer than this. */
const gracefulShutdownTimeout = "500 millis"
/** The largest message on a WebSocket of the application, in bytes. */
const maxPayload = 16 * 1024 * 1024
/** The server ends with its last WebSocket, and a client that hangs never closes. By default `ws` would wait 30 s for it. */
const closeTimeout = 1_000
// The types of `ws` do not know `closeTimeout` yet.
const websocket = { maxPayload, closeTimeout }

/**
 * A hardened server for a node. It answers requests with a problem if its parser refuses them, if the application is not
 * ready yet or has ended, or if it closes before a route has answered. It closes within half a second.
 */
export const layerServer = (
  options: ServerOptions | SocketOptions
): Layer.Layer<ServerServices, HttpServerError.ServeError | BadCertificate> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const tls = "tls" in options ? options.tls : undefined
      const credentials = tls === undefined ? undefined : yield* load(tls)
      const made = makeServer(options.connections, options.edge?.trustedProxies, credentials)
      const { server } = made
      if ("path" in options) {
        yield* removeStale(options.path)
        ownerOnlySocket(server, options.path)
      }
      const whole = Effect.map(HttpServer.HttpServer, (plain) => servingDirectly(answerInterrupted(plain), made))
      const at = "path" in options ? { path: options.path } : { port: options.port, host: options.host ?? "127.0.0.1" }
      const following =
        tls === undefined || credentials === undefined
          ? Layer.empty
          : Layer.merge(
              Layer.effectDiscard(follow(tls, credentials, made.renew)),
              Layer.succeed(ServerScheme, "https" as const)
            )
      return Layer.merge(Layer.effect(HttpServer.HttpServer, whole), following).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => server, { ...at, gracefulShutdownTimeout, websocket }))
      )
    })
  )

/** A server that serves directly where nothing stands before an endpoint. */
const servingDirectly = (
  { address, serve }: HttpServer.HttpServer["Service"],
  { serveFirst, trust }: NodeServer
): HttpServer.HttpServer["Service"] =>
  HttpServer.make({
    address,
    serve: Effect.fnUntraced(function* (app, middleware) {
      yield* middleware === undefined ? serve(app) : serve(app, middleware)
      // The settings of the application and of its place together.
      const serving = servingIn(app)
      if (serving !== undefined) trust(serving.edge.trustedProxies)
      serveFirst(yield* findIn(app, middleware))
      yield* Effect.addFinalizer(() => Effect.sync(() => serveFirst(undefined)))
    })
  })

/** Options of a node: where it listens, its data directory, and its peers. */
export interface NodeOptions extends ServerOptions, Omit<PlaceOptions, "address"> {
  /** The address for peers; by default `peerTls.listen` if all peers speak under TLS, else `host:port`. */
  readonly address?: string
  readonly directory: string
  /** How operators reach the node: beside the API by default. */
  readonly admin?: AdminOptions
}

/** Gives a node the listener and the token of its operators. */
const layerAdmin = (
  { listen, tokenFile }: AdminOptions,
  tls: TlsFiles | undefined
): Layer.Layer<never, BadAddress | BadTokenFile | BadCertificate | HttpServerError.ServeError> =>
  Layer.merge(
    tokenFile === undefined ? Layer.empty : layerAdminToken(tokenFile),
    listen === undefined ? Layer.empty : layerOperatorServer(listen, tls)
  )

/** A port for operators speaks TLS if the one for clients does: a token is as secret as its connection. */
const layerOperatorServer = (
  listen: string,
  tls: TlsFiles | undefined
): Layer.Layer<never, BadAddress | BadCertificate | HttpServerError.ServeError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const place = parseListening(listen)
      if (Result.isFailure(place)) return yield* new BadAddress({ message: place.failure })
      const under = place.success._tag === "Port" && tls !== undefined ? { tls } : {}
      const at = formatListening(place.success)
      const served = Effect.tap(HttpServer.HttpServer, () =>
        Effect.logInfo(
          `Operators are served at ${"tls" in under ? at.replace(/^http:/, "https:") : at}, and nowhere else`
        )
      )
      return Layer.provide(Layer.effect(OperatorServer, served), layerServer({ ...place.success, ...under }))
    })
  )

/** Provides everything that a node needs except its lifecycle: place, storage and transport on this machine, and a server. */
export const layer = (
  options: NodeOptions
): Layer.Layer<
  NodePlace | ServerServices,
  StorageFailure | PlaceFailure | PeersFailure | BadTokenFile | HttpServerError.ServeError
> => {
  const { address, host = "127.0.0.1", join, peers = [], peerTls, port, tls } = options
  const own = address ?? peerAddressOf(peerTls) ?? `${formatHost(host)}:${port}`
  const takesPlainPeers = peerTls === undefined || peerTls.alsoPlain === true
  if (tls !== undefined && takesPlainPeers && (peers.length > 0 || join !== undefined)) {
    return Layer.unwrap(Effect.fail(peersNeedTls))
  }
  // In this order: a node that cannot have its directory takes no port.
  return Layer.provideMerge(
    Layer.merge(layerServer(options), layerAdmin(options.admin ?? {}, tls)),
    layerHost({ ...options, address: own })
  )
}

const peersNeedTls = new BadCertificate({
  message:
    "A server under TLS takes no peers: let them speak under TLS too, at an address of their own (--peer-listen and its files, without --peer-also-plain)"
})

/** Exits with 0 if the node was told to stop and stopped in order. A removed node has an exit code of its own. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  onExit(
    Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : Runtime.getErrorExitCode(Cause.squash(exit.cause))
  )

/** Our errors say what failed and why; some of the platform's have nothing but a cause. */
const messageOf = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error
  return error.message === "" && error.cause instanceof Error ? error.cause.message : error.message
}

/** Prints one line that says what is wrong. The command line reports its own errors. */
const reportFailure = (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  if (Cause.hasInterruptsOnly(cause) || CliError.isCliError(error)) return Effect.void
  return Console.error(`lithair: ${messageOf(error)}`)
}

/**
 * Runs a program until SIGINT or SIGTERM. Exits with 0 if it stopped in order. Otherwise prints one line with the reason
 * and exits with 1, or with 78 if the node was removed from its cluster: then starting it again does not help.
 */
export const runMain = <A, E>(program: Effect.Effect<A, E>): void =>
  program.pipe(Effect.tapCause(reportFailure), NodeRuntime.runMain({ disableErrorReporting: true, teardown }))

/** Where clients reach the node. Peers under TLS have an address of their own. */
const servedAt = ({ address, host = "127.0.0.1", peerTls, port }: NodeOptions): string =>
  peerTls === undefined && address !== undefined ? address : `${formatHost(host)}:${port}`

/** Prints a bad flag as one line on stderr. Help and version stay as they are. */
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`lithair: ${event.errors.map(({ message }) => message).join("; ")} (--help says more)`)
      : CliOutput.defaultPresenter.present(event)
}

/**
 * Runs an application by the flags of this process: with `--port` one node; without it a demo of three nodes in three
 * processes. Each flag has a `LITHAIR_*` variable, and `--help` lists them.
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
      yield* Console.log(
        `Lithair node ${options.id ?? options.address} starts at ${options.tls === undefined ? "http" : "https"}://${servedAt(options)}`
      )
      yield* Effect.sync(freeMemory)
      return yield* launch(Layer.provide(application, layer(options)))
    })
  ).pipe(
    Command.withDescription("A Lithair cluster: three nodes without flags, one node with --port"),
    Command.run({ version }),
    Effect.provideService(CliOutput.Presenter, presenter),
    Effect.provide(NodeServices.layer),
    runMain
  )
