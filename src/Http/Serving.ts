/** What the routes of one node share, on however many servers they are mounted: what is served, and how much is under way. */
import { Context, Effect, Layer, type Redacted } from "effect"
import type { Any as Command } from "../Command/Declaration.ts"
import type { Described } from "../Model/Class.ts"
import type { Projection } from "../Projection/Projections.ts"
import * as Admission from "./Admission.ts"
import { type Answers, makeAnswers } from "./Metrics.ts"

/** What a node serves. */
export interface Served {
  readonly models: ReadonlyArray<Described>
  readonly commands: ReadonlyArray<Command>
  readonly projections: ReadonlyArray<Projection>
  /** The cluster's secret, which admits to its administration, and which nodes that join prove. */
  readonly secret: Redacted.Redacted | undefined
}

/** The declarations that a node serves, and the limits and counters that all its servers share. */
export class Serving extends Context.Service<
  Serving,
  Served & { readonly admission: Admission.Admission; readonly answers: Answers }
>()("lithair/Http/Serving") {}

/** Shared by all servers of one node. */
export const layer = (served: Served): Layer.Layer<Serving> =>
  Layer.effect(
    Serving,
    Effect.map(Admission.make, (admission) => Serving.of({ ...served, admission, answers: makeAnswers() }))
  )
