/**
 * The certificate that a node shows to clients, and its files, which it reads again on SIGHUP and every hour. Files that do
 * not fit together leave the former certificate in use. Raft/peers/Certificates.ts has those of peers.
 */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { createSecureContext } from "node:tls"
import { Clock, Effect, Latch, type Scope } from "effect"
import { readWholeFile } from "../EventStore/Files.ts"
import { BadCertificate } from "../Raft/peers/Certificates.ts"

/** The files of the certificate, in PEM. */
export interface TlsFiles {
  /** The certificate, and behind it those between it and an authority that clients know. */
  readonly certFile: string
  readonly keyFile: string
}

/** What the files held when they were read. */
export interface ServerCredentials {
  readonly cert: string
  readonly key: string
}

const rereadIntervalMs = 3_600_000

const bad = (message: string) => Effect.fail(new BadCertificate({ message }))

const read = (file: string) =>
  readWholeFile(file).pipe(
    Effect.map((bytes) => new TextDecoder().decode(bytes)),
    Effect.mapError(({ message }) => new BadCertificate({ message }))
  )

/** Reads the files, and checks that they fit together and that the certificate is valid now. */
export const load = Effect.fnUntraced(function* ({
  certFile,
  keyFile
}: TlsFiles): Effect.fn.Return<ServerCredentials, BadCertificate> {
  const [cert, key] = yield* Effect.all([read(certFile), read(keyFile)])
  const own = yield* Effect.try({
    try: () => new X509Certificate(cert),
    catch: () => new BadCertificate({ message: `There is no certificate in "${certFile}"` })
  })
  const nowMs = yield* Clock.currentTimeMillis
  if (nowMs < Date.parse(own.validFrom)) {
    return yield* bad(`The certificate "${certFile}" is valid only from ${own.validFrom} on`)
  }
  if (nowMs > Date.parse(own.validTo)) {
    return yield* bad(`The certificate "${certFile}" was valid until ${own.validTo}: replace it`)
  }
  const isKey = yield* Effect.try({
    try: () => own.checkPrivateKey(createPrivateKey(key)),
    catch: () => new BadCertificate({ message: `There is no private key in "${keyFile}" that can be used` })
  })
  if (!isKey) return yield* bad(`The key "${keyFile}" is not the one of the certificate "${certFile}"`)
  yield* Effect.try({
    try: () => createSecureContext({ cert, key }),
    catch: (error) => new BadCertificate({ message: `Cannot use "${certFile}" with "${keyFile}": ${String(error)}` })
  })
  return { cert, key }
})

/**
 * Has a server show the newest certificate to connections to come, until the scope closes. `renew` is undefined where the
 * runtime cannot change the one that it has.
 */
export const follow = Effect.fnUntraced(function* (
  files: TlsFiles,
  first: ServerCredentials,
  renew: ((credentials: ServerCredentials) => void) | undefined
): Effect.fn.Return<void, never, Scope.Scope> {
  const asked = Latch.makeUnsafe(false)
  const ask = (): void => void asked.openUnsafe()
  yield* Effect.acquireRelease(
    Effect.sync(() => void process.on("SIGHUP", ask)),
    () => Effect.sync(() => void process.off("SIGHUP", ask))
  )
  let current = first
  const reread = Effect.gen(function* () {
    const found = yield* load(files)
    if (found.cert === current.cert && found.key === current.key) return
    current = found
    if (renew === undefined) {
      yield* Effect.logWarning(`The certificate "${files.certFile}" is new, and this runtime shows it after a restart`)
      return
    }
    renew(found)
    yield* Effect.logInfo(`The certificate for clients was read again: "${files.certFile}"`)
  }).pipe(Effect.catch(({ message }) => Effect.logError(`The certificate for clients stays as it was: ${message}`)))
  yield* Effect.gen(function* () {
    yield* Effect.raceFirst(asked.await, Effect.sleep(rereadIntervalMs))
    asked.closeUnsafe()
    yield* reread
  }).pipe(Effect.forever, Effect.forkScoped)
})
