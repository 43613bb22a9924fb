/** The messages between a node's main thread and the thread of a SQLite file. Only types. */

/** A value of a column or parameter. An integer column gives a bigint past 2^53, else a number. */
export type SqlValue = null | number | bigint | string | Uint8Array

/** One SQL statement and its parameters. A second statement after a semicolon is refused, so put triggers into the `ddl`. */
export interface Statement {
  readonly sql: string
  readonly params?: ReadonlyArray<SqlValue>
}

/** A row: values by column name. */
export type Row = Readonly<Record<string, SqlValue>>

/** The file of a thread. A reader opens a file that a writer has created, and cannot write. */
export interface Opening {
  readonly mode: "write" | "read"
  readonly path: string
  /** The projection that the file must belong to. Any other file is unusable. */
  readonly name: string
  readonly version: number
  readonly ddl: string
}

/**
 * Why SQLite failed. `refused`: the request is wrong. `passing`: the machine does not allow it now, but may later.
 * `unusable`: the file is damaged, or belongs to another version.
 */
export type SqliteReason = "refused" | "passing" | "unusable"

export type Request =
  /** Opens the file, and returns its position. */
  | { readonly _tag: "Open" }
  /** Runs the statements of these entries in one transaction, and writes `throughIndex` as the position in it. */
  | {
      readonly _tag: "Apply"
      readonly entries: ReadonlyArray<{ readonly index: number; readonly statements: ReadonlyArray<Statement> }>
      readonly throughIndex: number
    }
  /** The most characters of texts and bytes of blobs together. */
  | {
      readonly _tag: "Query"
      readonly statement: Statement
      readonly rowsMax: number
      readonly bytesMax: number
    }
  | { readonly _tag: "Close" }

export type Reply =
  | { readonly _tag: "Opened"; readonly index: number }
  /** Committed through `index`. `failure` says what is wrong with the next entry, which was not applied at all. */
  | { readonly _tag: "Applied"; readonly index: number; readonly failure: string | undefined }
  /** Rows that reflect at least position `index`. */
  | { readonly _tag: "Rows"; readonly index: number; readonly rows: ReadonlyArray<Row> }
  | { readonly _tag: "TooMuch"; readonly of: "rows" | "bytes" }
  | { readonly _tag: "Closed" }
  | { readonly _tag: "Failed"; readonly message: string; readonly reason: SqliteReason }
