/** What an archive says about itself, as JSON in its first frame. EventStore/ArchiveFormat.ts has the frames. */
import { Effect, Schema } from "effect"

const Position = Schema.Struct({ index: Schema.Int, term: Schema.Int })

/**
 * An archive holds the state of a cluster through `last`: a snapshot at an index up to it, and the entries after the
 * snapshot. Without a snapshot it holds the entries after `previous` alone; if that is 0, they are the whole history.
 */
export const Manifest = Schema.Struct({
  clusterId: Schema.String,
  /** The clusters that this one took the place of. */
  formerClusterIds: Schema.Array(Schema.String),
  /** The node that the archive was taken from. */
  nodeId: Schema.String,
  takenAtMs: Schema.Int,
  snapshot: Schema.NullOr(Position),
  /** The entries of this archive follow this one. */
  previous: Position,
  last: Schema.Struct({ ...Position.fields, timeMs: Schema.Int }),
  /** The hash of the state at `last`, and the number of its definition (Machine/StateElements.ts). */
  stateHash: Schema.String,
  stateHashDefinition: Schema.Int,
  members: Schema.Array(Schema.Struct({ id: Schema.String, address: Schema.String, voter: Schema.Boolean })),
  models: Schema.Array(Schema.Struct({ name: Schema.String, version: Schema.Int, records: Schema.Int }))
})
export type Manifest = typeof Manifest.Type

const ManifestJson = Schema.fromJsonString(Manifest)

/** The manifest as bytes of a frame. */
export const encodeManifest = (manifest: Manifest): Uint8Array => new TextEncoder().encode(JSON.stringify(manifest))

/** Reads a manifest, or fails with what is wrong. */
export const decodeManifest = (json: Uint8Array): Effect.Effect<Manifest, string> =>
  Effect.mapError(Schema.decodeEffect(ManifestJson)(new TextDecoder().decode(json)), ({ message }) => message)
