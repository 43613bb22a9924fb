/** Transports under TLS on this host, with certificates of a test's own authority in files. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import { type OwnStarts, untold } from "../../../src/EventStore/Start.ts"
import type { CertificateFiles } from "../../../src/Raft/peers/Certificates.ts"
import * as PeerSockets from "../../../src/Raft/peers/PeerSockets.ts"
import { type Membership, Transport } from "../../../src/Raft/peers/Transport.ts"
import { freePort } from "../../support/freePort.ts"
import type { Authority, Issued } from "./Authority.ts"

/** A directory that ends with the scope. */
export const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-tls-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Writes what a node needs, under its name. Calling it again replaces the files. */
export const writeFiles = (
  path: string,
  name: string,
  { cert, key }: Issued,
  authorities: ReadonlyArray<Authority>
): CertificateFiles => {
  const files = {
    certFile: join(path, `${name}.pem`),
    keyFile: join(path, `${name}.key`),
    caFile: join(path, `${name}.ca.pem`)
  }
  writeFileSync(files.keyFile, key)
  writeFileSync(files.certFile, cert)
  writeFileSync(files.caFile, authorities.map((authority) => authority.cert).join(""))
  return files
}

/** One node under TLS, until the scope closes. */
export const tlsNode = Effect.fnUntraced(function* (options: {
  readonly id: string
  readonly files: CertificateFiles
  readonly port?: number
  readonly peer?: { readonly id: string; readonly address: string }
  readonly membership?: Membership | undefined
  readonly secret?: string
  readonly starts?: OwnStarts | undefined
}) {
  const { files, id, membership, peer, secret, starts = untold } = options
  const port = options.port ?? (yield* freePort)
  const address = `127.0.0.1:${port}`
  const built = yield* Layer.build(
    PeerSockets.layer({
      self: { nodeId: id, address, instanceId: `i${id}`, starts, peers: peer === undefined ? [] : [peer] },
      tls: { ...files, listen: { host: "127.0.0.1", port } },
      ...(membership === undefined ? {} : { membership }),
      ...(secret === undefined ? {} : { secret })
    })
  )
  return { port: Context.get(built, Transport), address }
})
