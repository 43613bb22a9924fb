/** Declares the endpoints that a node has beside its API: health, documents, administration and joining. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { MadeKey, NewKey, ShownKey } from "../Repository/ApiKeys.ts"
import { Membership } from "./Administration.ts"
import {
  activatePath,
  memberPath,
  membersPath,
  NewLeader,
  NewMember,
  NewVoters,
  transferPath,
  Without
} from "./AdminRoutes.ts"
import { archiveMediaType, backupPath, backupsPath, ScheduledBackup } from "./BackupRoutes.ts"
import { Digest, digestPath } from "./DigestRoutes.ts"
import { Erasure, Erasures, erasurePath, erasuresPath, ToErase } from "./ErasureRoutes.ts"
import { keyPath, keysPath } from "./KeyRoutes.ts"
import { bodyProblems, problems, readHeaderSchemas, readParameterSchemas } from "./ModelEndpoints.ts"
import { Count, MembersTag } from "./Patterns.ts"
import { reactionPath, reactionsPath, ShownReaction, Steering } from "./ReactionRoutes.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"

const nodeStatus = Schema.Struct({
  clusterId: Schema.NullOr(Schema.String),
  nodeId: Schema.String,
  role: Schema.String,
  term: Schema.Int,
  leader: Schema.NullOr(Schema.String),
  commitIndex: Schema.Int,
  appliedIndex: Schema.Int,
  stateHash: Schema.String,
  stateHashDefinition: Schema.Int,
  stateSuspect: Schema.Boolean,
  stateDifference: Schema.NullOr(
    Schema.Struct({
      index: Schema.Int,
      members: Schema.Array(Schema.Struct({ id: Schema.String, definition: Schema.Int, hash: Schema.String })),
      outliers: Schema.Array(Schema.String)
    })
  ),
  /** Present while this node repairs its log: through which entry its leader asks for it, and how far it is. */
  repairing: Schema.NullOr(Schema.Struct({ throughIndex: Schema.NullOr(Schema.Int), heldIndex: Schema.Int })),
  nodes: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      address: Schema.String,
      role: Schema.String,
      voter: Schema.Boolean,
      repairing: Schema.Boolean,
      matchIndex: Schema.NullOr(Schema.Int),
      lag: Schema.NullOr(Schema.Int),
      lastContactMs: Schema.NullOr(Schema.Number)
    })
  )
}).annotate({ identifier: "lithair.ClusterStatus" })

const health = Schema.Struct({
  status: Schema.String,
  reasons: Schema.optionalKey(Schema.Array(Schema.String)),
  checks: Schema.optionalKey(
    Schema.Array(Schema.Struct({ name: Schema.String, ok: Schema.Boolean, reason: Schema.optionalKey(Schema.String) }))
  )
}).annotate({ identifier: "lithair.Health" })
const unhealthy = health.pipe(HttpApiSchema.status(503))

const reactions = Schema.Struct({ items: Schema.Array(ShownReaction) }).annotate({ identifier: "lithair.Reactions" })

const modelVersions = Schema.Struct({
  /** The newest format of the log that this node's release knows, and the active one; null before the first entry. */
  format: Schema.Struct({ version: Schema.Int, active: Schema.NullOr(Schema.Int) }),
  items: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      path: Schema.String,
      mode: Schema.Literals(["replicated", "mixed", "local"]),
      /** Of this node's code. */
      version: Schema.Int,
      /** The version in which the cluster writes, or this node if the model is local; null before the first record. */
      active: Schema.NullOr(Schema.Int),
      stored: Schema.Record(Schema.String, Schema.Int),
      /** Of a mixed model: by version, the local parts on this node. */
      localParts: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int))
    })
  ),
  /** The models that have ended, and how many of their records are not forgotten yet. */
  dropped: Schema.Array(Schema.Struct({ name: Schema.String, records: Schema.Int }))
}).annotate({ identifier: "lithair.ModelVersions" })

const positioned = <S extends Schema.Top>(body: S) => HttpApiSchema.WithHeaders(body, positionHeaderSchemas)
const said = (summary: string, description?: string) =>
  OpenApi.annotations({ summary, ...(description === undefined ? {} : { description }) })
const page = (contentType: string) => Schema.String.pipe(HttpApiSchema.asText({ contentType }))

/** The problems of any change of the cluster. */
const changeProblems = problems([
  "invalid-request",
  "unauthenticated",
  "forbidden",
  "not-found",
  "membership-refused",
  "no-quorum",
  "overloaded",
  "draining",
  "removed",
  "upgrade-required",
  "unknown-outcome",
  ...bodyProblems
])
const erasureProblems = problems([
  "invalid-request",
  "unauthenticated",
  "forbidden",
  "not-found",
  "referenced",
  "too-large",
  "upgrade-pending",
  "upgrade-required",
  "no-quorum",
  "overloaded",
  "draining",
  "starting",
  "removed",
  "storage-full",
  "unknown-outcome",
  ...bodyProblems
])
const membership = HttpApiSchema.WithHeaders(Membership, { ...positionHeaderSchemas, etag: Schema.String })
/** The change is for the members that the caller saw. */
const seen = {
  headers: {
    "if-match": Schema.optionalKey(MembersTag)
  }
}
const seenProblems = [...changeProblems, ...problems(["version-conflict"])]
const force = {
  query: {
    force: Schema.optionalKey(Schema.Literal("true").annotate({ description: "Allow fewer than three voters" }))
  }
}
const member = Schema.String.check(Schema.isPattern(/^[^/:.]+$/u)).annotate({ description: "The id of a member" })
const promoted = Schema.String.check(Schema.isPattern(/^[^/:.]+:promote$/u)).annotate({
  description: "The id of a learner, and `:promote`"
})
const who =
  "Allowed from programs on the node's own host, or with the cluster's secret: `Authorization: Bearer <secret>`. Every node takes it; the leader carries it out."

const whoReads =
  "Allowed from programs on the node's own host, or with the cluster's secret: `Authorization: Bearer <secret>`. An archive holds every record."

const admin = HttpApiGroup.make("_admin")
  .add(
    HttpApiEndpoint.get("cluster", "/_admin/api/cluster", {
      success: positioned(nodeStatus),
      error: problems(["invalid-request"])
    }).annotateMerge(said("The cluster as this node sees it")),
    HttpApiEndpoint.get("models", "/_admin/api/models", {
      success: positioned(modelVersions),
      error: problems(["invalid-request", "overloaded", "removed"])
    }).annotateMerge(said("The versions of the models, and how many records are stored in each")),
    HttpApiEndpoint.get("reactions", reactionsPath, {
      success: positioned(reactions),
      error: problems(["invalid-request", "overloaded", "removed"])
    }).annotateMerge(said("How far each reaction is, as far as this node knows")),
    HttpApiEndpoint.post("steer", reactionPath, {
      params: {
        reaction: Schema.String.annotate({ description: "The name of a reaction" })
      },
      payload: Steering,
      success: positioned(ShownReaction),
      error: problems([
        "invalid-request",
        "unauthenticated",
        "forbidden",
        "not-found",
        "reaction-refused",
        "no-quorum",
        "overloaded",
        "draining",
        "starting",
        "removed",
        "upgrade-required",
        "storage-full",
        "unknown-outcome",
        ...bodyProblems
      ])
    }).annotateMerge(said("Skip, park or retry an event whose effect fails", who)),
    HttpApiEndpoint.get("backup", backupPath, {
      query: {
        after: Schema.optionalKey(
          Count.annotate({ description: "The archive can be restored to any entry from this index on" })
        ),
        consistency: readParameterSchemas.consistency,
        "max-stale": readParameterSchemas["max-stale"]
      },
      headers: readHeaderSchemas,
      success: positioned(HttpApiSchema.StreamUint8Array({ contentType: archiveMediaType })),
      error: problems([
        "invalid-request",
        "unauthenticated",
        "forbidden",
        "history-gone",
        "no-quorum",
        "not-caught-up",
        "too-stale",
        "overloaded",
        "draining",
        "starting",
        "removed"
      ])
    }).annotateMerge(said("A backup archive of this node's state", whoReads)),
    HttpApiEndpoint.get("keys", keysPath, {
      success: positioned(Schema.Struct({ items: Schema.Array(ShownKey) })),
      error: problems([
        "invalid-request",
        "unauthenticated",
        "forbidden",
        "no-quorum",
        "overloaded",
        "draining",
        "removed"
      ])
    }).annotateMerge(said("The API keys of the cluster, without their secrets", who)),
    HttpApiEndpoint.post("makeKey", keysPath, {
      payload: NewKey,
      success: positioned(MadeKey.pipe(HttpApiSchema.status(201))),
      error: [...changeProblems, ...problems(["storage-full"])]
    }).annotateMerge(said("Make an API key, which is shown this once", who)),
    HttpApiEndpoint.delete("revokeKey", keyPath, {
      params: { member: Schema.String.annotate({ description: "The id of an API key" }) },
      success: positioned(HttpApiSchema.NoContent),
      error: [...changeProblems, ...problems(["storage-full"])]
    }).annotateMerge(said("Revoke an API key: nothing more is decided for it", who)),
    HttpApiEndpoint.get("digest", digestPath, {
      success: positioned(Digest),
      error: problems(["invalid-request", "not-found", "no-quorum", "overloaded", "draining", "starting", "removed"])
    }).annotateMerge(said("The digest of the log, to keep outside of the cluster")),
    HttpApiEndpoint.post("erase", erasuresPath, {
      payload: ToErase,
      success: positioned(Erasure.pipe(HttpApiSchema.status(202))),
      error: erasureProblems
    }).annotateMerge(said("Erase a record for good, with those that its deletion deletes", who)),
    HttpApiEndpoint.get("erasures", erasuresPath, {
      query: { after: Schema.optionalKey(Count.annotate({ description: "The erasures after this index" })) },
      success: positioned(Erasures),
      error: erasureProblems
    }).annotateMerge(said("The erasures, oldest first, and how far the members are", who)),
    HttpApiEndpoint.get("erasure", erasurePath, {
      params: {
        model: Schema.String.annotate({ description: "The name of a model" }),
        record: Schema.String.annotate({ description: "The id of a record" })
      },
      success: positioned(Erasure),
      error: erasureProblems
    }).annotateMerge(said("Whether the erasure of a record is done", who)),
    HttpApiEndpoint.get("backups", backupsPath, {
      success: positioned(Schema.Struct({ items: Schema.Array(ScheduledBackup) })),
      error: problems(["invalid-request", "overloaded", "removed"])
    }).annotateMerge(said("How scheduled backups stand on this node")),
    HttpApiEndpoint.get("members", membersPath, {
      success: membership,
      error: problems(["invalid-request", "overloaded", "removed"])
    }).annotateMerge(said("The members of the cluster")),
    HttpApiEndpoint.post("add", membersPath, {
      payload: NewMember,
      success: membership,
      error: changeProblems
    }).annotateMerge(said("Add a member", who)),
    HttpApiEndpoint.put("replace", membersPath, {
      ...force,
      ...seen,
      payload: NewVoters,
      success: membership,
      error: seenProblems
    }).annotateMerge(said("Set which members vote, in one change", who)),
    HttpApiEndpoint.delete("remove", memberPath, {
      ...force,
      ...seen,
      params: { member },
      success: membership,
      error: seenProblems
    }).annotateMerge(said("Remove a member", who)),
    HttpApiEndpoint.post("promote", memberPath, {
      params: { member: promoted },
      success: membership,
      error: changeProblems
    }).annotateMerge(said("Make a learner a voter", who)),
    HttpApiEndpoint.post("activate", activatePath, {
      payload: Without,
      success: membership,
      error: changeProblems
    }).annotateMerge(said("Make new versions active without members that are not heard", who)),
    HttpApiEndpoint.post("transfer", transferPath, {
      payload: NewLeader,
      success: membership,
      error: changeProblems
    }).annotateMerge(said("Hand leadership to another node", who))
  )
  .annotateMerge(OpenApi.annotations({ title: "Administration" }))

// No model can take the name of a group: a model's name starts with a letter.
const node = HttpApiGroup.make("_node")
  .add(
    HttpApiEndpoint.get("livez", "/livez", { success: health }).annotateMerge(said("Whether the node runs")),
    HttpApiEndpoint.get("readyz", "/readyz", {
      query: { verbose: Schema.optionalKey(Schema.String) },
      success: health,
      error: unhealthy
    }).annotateMerge(said("Whether the node knows a leader and has caught up")),
    HttpApiEndpoint.get("metrics", "/metrics", { success: page("text/plain; version=0.0.4") }).annotateMerge(
      said("The node's metrics, for Prometheus")
    ),
    HttpApiEndpoint.get("document", "/openapi.json", {
      success: Schema.Record(Schema.String, Schema.Unknown).annotate({ identifier: "lithair.Document" }),
      error: problems(["overloaded", "removed"])
    }).annotateMerge(said("This document")),
    HttpApiEndpoint.get("docs", "/docs", {
      success: page("text/html; charset=utf-8"),
      error: problems(["overloaded", "removed"])
    }).annotateMerge(said("This document, for people"))
  )
  .annotateMerge(OpenApi.annotations({ title: "Node" }))

/** The endpoints that every node has. */
export const nodeGroups = [node, admin] as const

/** Restores colons in paths: a colon starts a parameter only after a slash. */
export const restorePath = (path: string): string => path.replace(/([^/])\{(\w+)\}/g, "$1:$2")
