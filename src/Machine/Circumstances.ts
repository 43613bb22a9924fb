/** What a decision depends on besides the tables and the command. Pure data. D2. */

/** The inputs of the deciding node: the index of the entry, its clock, and fresh ids. */
export interface Circumstances {
  readonly index: number
  readonly nowMs: number
  readonly newId: () => string
}
