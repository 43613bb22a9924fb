/** What makes an example: the application that its nodes run, and what whoever starts it may try first. */
import type { Effect, Layer } from "effect"
import type { HttpServer } from "effect/http"
import type * as Lithair from "../../src/Lithair.ts"

/** A node's place in its cluster: all that the flags say of it. */
export type NodePlace = Omit<Lithair.NodeOptions, "models" | "commands" | "projections" | "reactions">

export interface Example {
  /** The script that the demo starts for each node. */
  readonly script: string
  /** Where data lies, a folder for each port. */
  readonly directory: string
  /** What a browser may open on each node. */
  readonly path: string
  /** Lines to try on a shell. */
  readonly curls: ReadonlyArray<string>
  /** Runs the application as one node. */
  readonly launch: <A, E>(
    place: NodePlace,
    server: Layer.Layer<A | HttpServer.HttpServer, E>
  ) => Effect.Effect<unknown, unknown>
}
