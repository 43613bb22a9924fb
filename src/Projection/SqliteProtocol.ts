/** What a node's main thread and the thread of a SQLite file say to each other. Types alone. */

/** What a column or a parameter holds. An integer of a column is a bigint where a number would not hold it: past 2^53. */
export type SqlValue = null | number | bigint | string | Uint8Array

/** One statement. What has another after a semicolon is refused, so triggers are for the `ddl`. */
export interface Statement {
  readonly sql: string
  readonly params?: ReadonlyArray<SqlValue>
}

/** A row, by the names of its columns. */
export type Row = Readonly<Record<string, SqlValue>>

/** Which file a thread is for. A reader opens a file that a writer has made, and cannot write. */
export interface Opening {
  readonly mode: "write" | "read"
  readonly path: string
  /** What the file must be of; another one is unusable. */
  readonly name: string
  readonly version: number
  readonly ddl: string
}

/**
 * Why something was not done: what was asked for is wrong; or the machine does not let it be now, and may later; or the
 * file is not what was written to it, or of another version.
 */
export type SqliteReason = "refused" | "passing" | "unusable"

export type Request =
  /** Opens the file, and answers its position. */
  | { readonly _tag: "Open" }
  /** Runs the statements of these entries in one transaction, and notes `throughIndex` in it as the position. */
  | {
      readonly _tag: "Apply"
      readonly entries: ReadonlyArray<{ readonly index: number; readonly statements: ReadonlyArray<Statement> }>
      readonly throughIndex: number
    }
  /** Bytes as of texts and blobs: characters of a text may take more. */
  | {
      readonly _tag: "Query"
      readonly statement: Statement
      readonly rowsMax: number
      readonly bytesMax: number
    }
  | { readonly _tag: "Close" }

export type Reply =
  | { readonly _tag: "Opened"; readonly index: number }
  /** Committed through `index`. `failure` says what was wrong with the entry after it, of which nothing is done. */
  | { readonly _tag: "Applied"; readonly index: number; readonly failure: string | undefined }
  /** Rows, as of position `index` at least. */
  | { readonly _tag: "Rows"; readonly index: number; readonly rows: ReadonlyArray<Row> }
  | { readonly _tag: "TooMuch"; readonly of: "rows" | "bytes" }
  | { readonly _tag: "Closed" }
  | { readonly _tag: "Failed"; readonly message: string; readonly reason: SqliteReason }
