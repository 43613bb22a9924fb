/**
 * Connections between peers under TLS 1.3: each side shows a certificate that an authority of the other has signed. The
 * names of hosts do not count: Handshake.ts holds the node that a certificate names against the one that speaks.
 * Certificates.ts has the files.
 */
import { isIP, type Socket } from "node:net"
import * as tls from "node:tls"
import { Effect, FiberSet, Result, Schema, type Scope } from "effect"
import { formatHost, parseAddress } from "./Address.ts"
import { nodesNamedBy } from "./CertificateNames.ts"
import type { Certificates, Credentials } from "./Certificates.ts"
import { LinkClosed } from "./FrameStream.ts"
import type { PeerStream } from "./PeerStream.ts"
import type { Strangers } from "./Strangers.ts"

/** How long a connection that comes in may take for its TLS handshake. */
const tlsTimeoutMs = 2_000

/** Nobody can listen there. The message says where, and why. */
export class PeersUnheard extends Schema.TaggedError<PeersUnheard>()("PeersUnheard", { message: Schema.String }) {}

/** Both sides speak the newest version alone: all nodes run this code. */
const optionsOf = ({ ca, cert, key }: Credentials) => ({
  ca: [...ca],
  cert,
  key,
  minVersion: "TLSv1.3" as const
})

/** An acceptor refuses a certificate by itself, with a reason that both sides log; by TLS a dialer would hear of none. */
const acceptorOptionsOf = (credentials: Credentials) => ({
  ...optionsOf(credentials),
  requestCert: true,
  rejectUnauthorized: false
})

/** Small frames leave at once, and a link has deadlines of its own. */
const ready = (socket: tls.TLSSocket, generation: number): PeerStream => {
  socket.on("error", () => {})
  socket.setNoDelay(true)
  socket.setTimeout(0)
  // Null once the connection has broken off, which the types do not know.
  const certificate: Partial<tls.PeerCertificate> | null = socket.getPeerCertificate()
  const certified = certificate?.raw === undefined ? [] : nodesNamedBy(certificate.raw)
  return { stream: socket, certified, untrusted: socket.authorized ? undefined : whyNot(socket), generation }
}

const whyNot = ({ authorizationError }: tls.TLSSocket): string =>
  oneLine(authorizationError instanceof Error ? authorizationError.message : String(authorizationError))

/** OpenSSL ends its texts with a line break, behind the place in its own code. */
const oneLine = (text: string): string => text.trim().replace(/\p{Cc}+/gu, " ")

/** Opens a connection to `address` in time. The scope closes it. */
export const dialTls = Effect.fnUntraced(function* (
  address: string,
  certificates: Certificates,
  timeoutMs: number
): Effect.fn.Return<PeerStream, LinkClosed, Scope.Scope> {
  const parsed = parseAddress(address)
  if (Result.isFailure(parsed)) return yield* new LinkClosed({ message: parsed.failure, refused: true })
  const { host, port } = parsed.success
  const credentials = certificates.current()
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() =>
      tls.connect({
        ...optionsOf(credentials),
        rejectUnauthorized: true,
        host,
        port,
        checkServerIdentity: () => undefined,
        ...(isIP(host) === 0 ? { servername: host } : {})
      })
    ),
    (socket) => Effect.sync(() => socket.destroy())
  )
  return yield* Effect.callback<PeerStream, LinkClosed>((resume) => {
    socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(closedBy(error))))
    socket.once("close", () =>
      resume(Effect.fail(new LinkClosed({ message: "The connection is closed", refused: false })))
    )
    socket.once("secureConnect", () => {
      socket.pause()
      resume(Effect.succeed(ready(socket, credentials.generation)))
    })
  }).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMs,
      orElse: () => Effect.fail(new LinkClosed({ message: "The connection took too long to open", refused: false }))
    })
  )
})

/** If TLS refused the peer, and not the network, another attempt alone does not help. */
const closedBy = ({ code = "", message }: NodeJS.ErrnoException): LinkClosed => {
  const isOfNetwork = /^E(AI_)?[A-Z]+$/.test(code) && code !== "EPROTO"
  const what = oneLine(message)
  return new LinkClosed({ message: isOfNetwork ? what : `TLS refuses the peer: ${what}`, refused: !isOfNetwork })
}

/** A connection that came in under TLS. `leave` ends its time as a stranger. */
export type TakeTls = (incoming: PeerStream, leave: () => void) => Effect.Effect<void>

/** Listens for peers until the scope closes. `renew` has it use the newest certificate for connections to come. */
export const listenTls = Effect.fnUntraced(function* (options: {
  readonly at: { readonly host: string; readonly port: number }
  readonly certificates: Certificates
  readonly strangers: Strangers
  readonly take: TakeTls
}) {
  const { at, certificates, strangers, take } = options
  const fork = yield* FiberSet.makeRuntime<never>()
  let { generation } = certificates.current()
  const server = tls.createServer(acceptorOptionsOf(certificates.current()))
  /** The connections whose TLS handshake goes on. */
  const shaking = new Map<
    string,
    { readonly leave: () => void; readonly timer: NodeJS.Timeout; readonly generation: number }
  >()
  const nameOf = ({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">) =>
    `${remoteAddress} ${remotePort}`

  // Before TLS: to check a signature costs more than all that a plain stranger can cause.
  server.on("connection", (socket: Socket) => {
    const leave = strangers.admit(socket.remoteAddress ?? "")
    if (leave === undefined) return void socket.destroy()
    const name = nameOf(socket)
    // Not all runtimes end a handshake that takes too long.
    const timer = setTimeout(() => socket.destroy(), tlsTimeoutMs)
    // It keeps the certificate with which it began.
    shaking.set(name, { leave, timer, generation })
    socket.once("close", () => {
      clearTimeout(timer)
      shaking.delete(name)
      leave()
    })
  })
  server.on("tlsClientError", ({ code, message }: NodeJS.ErrnoException, socket) => {
    socket.on("error", () => {})
    const line = `A peer's connection ended: TLS refuses it: ${oneLine(message)}`
    // The peer went away: it refuses this node, and says so in its own log.
    fork(code === "ECONNRESET" ? Effect.logDebug(line) : strangers.warn(line))
  })
  server.on("secureConnection", (socket) => {
    const known = shaking.get(nameOf(socket))
    if (known === undefined) return void socket.destroy()
    const { generation, leave, timer } = known
    clearTimeout(timer)
    socket.pause()
    fork(
      Effect.ensuring(
        take(ready(socket, generation), leave),
        Effect.sync(() => socket.destroy())
      )
    )
  })
  yield* Effect.acquireRelease(
    Effect.callback<void, PeersUnheard>((resume) => {
      // It stays: a later failure to accept a connection must not end the process.
      server.on("error", ({ message }) =>
        resume(
          Effect.fail(
            new PeersUnheard({ message: `Cannot listen for peers on ${formatHost(at.host)}:${at.port}: ${message}` })
          )
        )
      )
      server.listen(at, () => resume(Effect.void))
    }),
    () => Effect.sync(() => server.close())
  )
  return {
    renew: (): void => {
      const credentials = certificates.current()
      // No session of the former context can be resumed, so a peer of an authority that is gone stays out.
      server.setSecureContext(acceptorOptionsOf(credentials))
      generation = credentials.generation
    }
  }
})
