/**
 * The certificate by which a node proves itself to its peers, and the authorities that it believes. It reads the files
 * again on SIGHUP and every hour; files that do not fit together leave the former ones in use.
 */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { createSecureContext } from "node:tls"
import { Clock, Effect, Latch, Schema, type Scope } from "effect"
import { readWholeFile } from "../../EventStore/Files.ts"
import type { NodeId } from "../core/Message.ts"
import { nodesNamedBy, nodeUri } from "./CertificateNames.ts"

/** The files of a node's certificate, in PEM. */
export interface CertificateFiles {
  /** The node's certificate, and behind it those between it and the authority, if there are any. */
  readonly certFile: string
  readonly keyFile: string
  /** The authorities that sign the certificates of all nodes: the new one and the old one while one replaces the other. */
  readonly caFile: string
}

/** The certificate, its key or the authorities cannot be used. The message says which file, and why. */
export class BadCertificate extends Schema.TaggedError<BadCertificate>()("BadCertificate", {
  message: Schema.String
}) {}

/** What the files held when they were read. */
export interface Credentials {
  /** Counts the readings that found other files than before. */
  readonly generation: number
  readonly cert: string
  readonly key: string
  /** The certificate of each authority. */
  readonly ca: ReadonlyArray<string>
  readonly validToMs: number
}

/** The credentials of a node, as they are now. */
export interface Certificates {
  readonly current: () => Credentials
  /** Reads the files again now. True if they have changed and are in use. */
  readonly reload: Effect.Effect<boolean>
  /** Calls `changed` after each reading that changed them, on SIGHUP and hourly, until it is interrupted. */
  readonly follow: (changed: Effect.Effect<void>) => Effect.Effect<never>
}

const rereadIntervalMs = 3_600_000
/** From so long before its end on, the log says that a certificate needs to be replaced. */
const warnBeforeMs = 3 * 86_400_000

/** The certificates in a PEM text, each as a text. */
const blocksOf = (text: string): ReadonlyArray<string> =>
  text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []

const bad = (message: string) => Effect.fail(new BadCertificate({ message }))

const read = (file: string) =>
  readWholeFile(file).pipe(
    Effect.map((bytes) => new TextDecoder().decode(bytes)),
    Effect.mapError(({ message }) => new BadCertificate({ message }))
  )

/** The certificates in a PEM file, at least one. */
const parse = (file: string, text: string) =>
  Effect.try({
    try: () => blocksOf(text).map((block) => new X509Certificate(block)),
    catch: (error) => new BadCertificate({ message: `Cannot read a certificate in "${file}": ${String(error)}` })
  }).pipe(
    Effect.flatMap((found) =>
      found[0] === undefined
        ? bad(`There is no certificate in "${file}"`)
        : Effect.succeed([found[0], ...found.slice(1)] as const)
    )
  )

/** Reads the files, and checks that they belong together and to this node, so that no peer has to find out. */
export const load = Effect.fnUntraced(function* (
  { caFile, certFile, keyFile }: CertificateFiles,
  nodeId: NodeId,
  generation: number
): Effect.fn.Return<Credentials, BadCertificate> {
  const [cert, key, ca] = yield* Effect.all([read(certFile), read(keyFile), read(caFile)])
  const chain = yield* parse(certFile, cert)
  const authorities = yield* parse(caFile, ca)
  const believed = blocksOf(ca)
  const [own] = chain
  const named = nodesNamedBy(own.raw)
  if (!named.includes(nodeId)) {
    const names = named.length === 0 ? "names no node" : `is for ${named.map(nodeUri).join(", ")}`
    return yield* bad(
      `The certificate "${certFile}" ${names}, and this node is ${nodeId}: it needs the URI ${nodeUri(nodeId)} among its subject's alternative names`
    )
  }
  const nowMs = yield* Clock.currentTimeMillis
  const [validFromMs, validToMs] = [Date.parse(own.validFrom), Date.parse(own.validTo)]
  if (nowMs < validFromMs) return yield* bad(`The certificate "${certFile}" is valid only from ${own.validFrom} on`)
  if (nowMs > validToMs) return yield* bad(`The certificate "${certFile}" was valid until ${own.validTo}: replace it`)
  const isKey = yield* Effect.try({
    try: () => own.checkPrivateKey(createPrivateKey(key)),
    catch: () => new BadCertificate({ message: `There is no private key in "${keyFile}" that can be used` })
  })
  if (!isKey) return yield* bad(`The key "${keyFile}" is not the one of the certificate "${certFile}"`)
  const last = chain[chain.length - 1]!
  if (!authorities.some((authority) => last.verify(authority.publicKey))) {
    return yield* bad(`No authority in "${caFile}" has signed the certificate "${certFile}"`)
  }
  yield* Effect.try({
    try: () => createSecureContext({ cert, key, ca: [...believed] }),
    catch: (error) => new BadCertificate({ message: `Cannot use "${certFile}" with "${keyFile}": ${String(error)}` })
  })
  return { generation, cert, key, ca: believed, validToMs }
})

/** Reads the files of a node. Fails if they do not fit. */
export const make = Effect.fnUntraced(function* (
  files: CertificateFiles,
  nodeId: NodeId
): Effect.fn.Return<Certificates, BadCertificate, Scope.Scope> {
  let current = yield* load(files, nodeId, 1)
  const asked = Latch.makeUnsafe(false)
  const ask = (): void => void asked.openUnsafe()
  yield* Effect.acquireRelease(
    Effect.sync(() => void process.on("SIGHUP", ask)),
    () => Effect.sync(() => void process.off("SIGHUP", ask))
  )
  const until = (credentials: Credentials) => new Date(credentials.validToMs).toISOString()

  const reload = Effect.gen(function* () {
    const found = yield* load(files, nodeId, current.generation + 1)
    const nowMs = yield* Clock.currentTimeMillis
    if (found.validToMs - nowMs < warnBeforeMs) {
      yield* Effect.logWarning(`The certificate "${files.certFile}" is valid until ${until(found)} only: replace it`)
    }
    const isSame = found.cert === current.cert && found.key === current.key && found.ca.join() === current.ca.join()
    if (isSame) return false
    current = found
    yield* Effect.logInfo(`The certificates of peers were read again: this node's is valid until ${until(found)}`)
    return true
  }).pipe(
    Effect.catch(({ message }) =>
      Effect.as(Effect.logError(`The certificates of peers stay as they were: ${message}`), false)
    )
  )

  return {
    current: () => current,
    reload,
    follow: (changed) =>
      Effect.gen(function* () {
        yield* Effect.raceFirst(asked.await, Effect.sleep(rereadIntervalMs))
        asked.closeUnsafe()
        if (yield* reload) {
          yield* Effect.catchCause(changed, (cause) =>
            Effect.logError("The new certificate is not in use everywhere", cause)
          )
        }
      }).pipe(Effect.forever)
  }
})
