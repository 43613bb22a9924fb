/** Declares the endpoints of the administration for the document. docs/http.md, "Administration". */
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
import { changeProblems, positioned, said } from "./Endpoints.ts"
import { Erasure, Erasures, erasurePath, erasuresPath, ToErase } from "./ErasureRoutes.ts"
import { keyPath, keysPath } from "./KeyRoutes.ts"
import { bodyProblems, problems, readHeaderSchemas, readParameterSchemas } from "./ModelEndpoints.ts"
import { Count, MembersTag } from "./Patterns.ts"
import { reactionPath, reactionsPath, ShownReaction } from "./ReactionRoutes.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"
import { ShownSqlProjection, sqlProjectionPath, sqlProjectionsPath } from "./SqlProjectionRoutes.ts"
import { Steering } from "./Steering.ts"

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

const reactions = Schema.Struct({ items: Schema.Array(ShownReaction) }).annotate({ identifier: "lithair.Reactions" })

const sqlProjections = Schema.Struct({ items: Schema.Array(ShownSqlProjection) }).annotate({
  identifier: "lithair.SqlProjections"
})

const steeringProblems = problems([
  "invalid-request",
  "not-found",
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

const erasureProblems = problems([
  "invalid-request",
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
    "if-match": MembersTag
  }
}
const seenProblems = [...changeProblems, ...problems(["version-conflict", "precondition-required"])]
const force = {
  query: {
    force: Schema.optionalKey(Schema.Literal("true").annotate({ description: "Allow fewer than three voters" }))
  }
}
const member = Schema.String.check(Schema.isPattern(/^[^/:.]+$/u)).annotate({ description: "The id of a member" })
const promoted = Schema.String.check(Schema.isPattern(/^[^/:.]+:promote$/u)).annotate({
  description: "The id of a learner, and `:promote`"
})
const operators =
  "For operators: callers with the role `lithair:operator`, the admin token or the cluster's secret, and programs of the node's own host if it has no admin token."

const who = `${operators} Every node takes it; the leader carries it out.`

const whoReads = `${operators} An archive holds every record.`

/** The endpoints of the administration. */
export const adminGroup = HttpApiGroup.make("_admin")
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
      error: [...steeringProblems, ...problems(["reaction-refused"])]
    }).annotateMerge(said("Skip, park or retry an event whose effect fails", who)),
    HttpApiEndpoint.get("sqlProjections", sqlProjectionsPath, {
      success: positioned(sqlProjections),
      error: problems(["invalid-request", "overloaded", "removed"])
    }).annotateMerge(said("How far each projection into SQL is, as the leader knows it")),
    HttpApiEndpoint.post("steerSqlProjection", sqlProjectionPath, {
      params: {
        projection: Schema.String.annotate({ description: "The name of a projection into SQL" })
      },
      payload: Steering,
      success: positioned(ShownSqlProjection),
      error: [...steeringProblems, ...problems(["projection-refused"])]
    }).annotateMerge(said("Skip, park or retry an event that the database refuses", who)),
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
      error: problems(["invalid-request", "no-quorum", "overloaded", "draining", "removed"])
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
