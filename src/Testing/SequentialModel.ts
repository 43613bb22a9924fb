/** The specification of an object: how it behaves if it does one operation at a time. A history is checked against it. Pure. */
import type { Schema } from "effect"
import type { Answer } from "./History.ts"

/** A sequential object: its states and its answers. A state is never undefined, and never changed in place. */
export interface Model<State> {
  readonly initial: State
  /** Does one operation. A `fail` changes nothing. Undefined: the model knows no such operation. */
  readonly apply: (state: State, call: Call) => { readonly state: State; readonly answer: Answer } | undefined
  /** Equal for equal states, and for no others. */
  readonly fingerprint: (state: State) => string
  /** What only grows as operations take effect, if anything does. It saves time, and changes no verdict. */
  readonly rank?: {
    readonly of: (state: State) => number
    /** The greatest rank of a state from which an operation can still be told this. */
    readonly max: (told: Told) => number
  }
  /** What an operation leaves behind that no other does, if anything. It saves time, and changes no verdict. */
  readonly trace?: {
    /** And the kind of the operation: those of one kind differ in nothing but their traces. */
    readonly left: (call: Call) => { readonly trace: string; readonly kind: string } | undefined
    /** The trace that an answer shows, and what the operation that left it must have been answered. */
    readonly found: (told: Told) => { readonly trace: string; readonly answer: Answer } | undefined
  }
}

export interface Call {
  readonly op: string
  readonly value: Schema.Json
}

export interface Told {
  readonly op: string
  readonly answer: Answer
}
