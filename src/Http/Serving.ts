/** The state that all routes of a node share, also on several servers: its declarations, limits and counters. */
import { Clock, Context, Effect, Layer, type Redacted } from "effect"
import type { Any as Command } from "../Command/Declaration.ts"
import type { Described } from "../Model/Class.ts"
import type { Projection } from "../Projection/Projections.ts"
import { current, type Tracing } from "../Tracing.ts"
import * as Admission from "./Admission.ts"
import { type Answers, makeAnswers } from "./Answers.ts"
import * as Audit from "./Audit.ts"
import type { Auth, External } from "./Authenticator.ts"
import * as Edge from "./Edge.ts"
import type { EdgeOptions } from "./EdgeOptions.ts"
import { type EventStreams, makeEventStreams } from "./EventStream.ts"

/** The declarations that a node serves, and its secret. */
export interface Served {
  readonly models: ReadonlyArray<Described>
  readonly commands: ReadonlyArray<Command>
  readonly projections: ReadonlyArray<Projection>
  /** Who may ask; undefined for a node that is open. */
  readonly auth?: Auth<unknown> | External | undefined
  /** Whether an open node answers other hosts too. */
  readonly insecureOpen?: boolean | undefined
  /** The settings of the node's edge. */
  readonly edge?: EdgeOptions | undefined
  /** The cluster's secret. It admits to the administration, and joining nodes prove it. */
  readonly secret: Redacted.Redacted | undefined
}

/** The declarations that a node serves, and the limits and counters that all its servers share. */
export class Serving extends Context.Service<
  Serving,
  Omit<Served, "edge"> & {
    readonly edge: Edge.Edge
    readonly admission: Admission.Admission
    readonly answers: Answers
    readonly streams: EventStreams
    readonly audit: Audit.Audit
    /** Whether the node is open, and answers its own host alone. */
    readonly isOpen: boolean
    /** Whether rules hold, so that operators too must show who they are. */
    readonly isGuarded: boolean
    /** Records spans of requests that their clients want traced; undefined if nobody does. */
    readonly tracing: Tracing | undefined
  }
>()("lithair/Http/Serving") {}

/** Makes the service that all servers of one node share. */
export const layer = (served: Served): Layer.Layer<Serving> =>
  Layer.effect(
    Serving,
    Effect.gen(function* () {
      const edge = yield* Edge.make(served.edge ?? {}, served.auth)
      return Serving.of({
        ...served,
        edge,
        admission: yield* Admission.make,
        answers: makeAnswers(),
        streams: makeEventStreams(edge.streamsOfOneMax),
        audit: yield* Audit.make,
        isOpen: served.auth === undefined && served.insecureOpen !== true,
        isGuarded: served.auth !== undefined && served.auth._tag === undefined,
        tracing: yield* current(yield* Clock.Clock)
      })
    })
  )
