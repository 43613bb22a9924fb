/** The readers of a simulated cluster with rules: what each has by following, and at which node it is. Pure data. */
import type * as Follower from "../../Changes/Follower.ts"
import type * as Formers from "../../Changes/Formers.ts"
import type * as Engine from "../../Live/Engine.ts"
import type { LiveRequest } from "../../Live/LiveRequest.ts"
import type { EncodedRecord } from "../../Model/EncodedRecord.ts"
import type { Pasts } from "../../Repository/Past.ts"
import type { Life } from "./Node.ts"
import type { RuledModel } from "./Papers.ts"
import type { Reader } from "./RandomRules.ts"
import type { Truth } from "./SightTruth.ts"

/** A record as a reader has it. */
export interface Had {
  readonly version: number
  readonly record: EncodedRecord
}

/** What a node offers to readers, in one life. */
export interface Served {
  readonly life: Life
  readonly findFormer: Formers.FindFormer
  readonly pasts: Pasts
  readonly engine: Engine.Engine
  /** How often a record changed that says what somebody may read. */
  rightsAt: number
}

/** A reader at a node: a stream of changes, and a live query. They end with the life of the node. */
export interface Attending {
  readonly served: Served
  readonly follower: Follower.Follower
  live: Live | undefined
}

/** A live query of a reader, and the page that the reader has. */
export interface Live {
  readonly reader: Engine.Reader
  readonly identity: string
  rightsAt: number
  page: ReadonlyArray<{ readonly id: string; readonly version: number; readonly text: string }>
}

/** A reader, as a client of the cluster. */
export interface Visitor {
  readonly reader: Reader
  /** The models whose changes it follows together. */
  readonly models: ReadonlyArray<RuledModel>
  readonly query: Omit<LiveRequest, "descriptor" | "reach" | "select" | "after">
  /** The id of the last event that it has heard; undefined before a first state. */
  position: string | undefined
  /** By model and id: what it has by following. */
  readonly picture: Map<string, Had>
  at: Attending | undefined
}

/** How often readers did what. */
export interface Counts {
  visits: number
  refusals: number
  looks: number
  told: number
  left: number
  startsOver: number
  moves: number
  pages: number
}

/** Everything about the readers of a run. */
export interface Sight {
  readonly truth: Truth
  readonly visitors: ReadonlyArray<Visitor>
  readonly counts: Counts
}
