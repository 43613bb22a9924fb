/** The errors in a record or a payload, as clients see them. Pure. docs/http.md, "Problems". */
import * as SchemaIssue from "effect/SchemaIssue"

/** One error in encoded data. `path` is dotted, and empty for the data as a whole. */
export interface FieldError {
  readonly path: string
  readonly message: string
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

/** The limit on errors for one record, so that an answer stays small, and so does the entry that remembers it. */
export const fieldErrorsMax = 100

/** The limit on a path or a message in an error. A client's key or value may be as long as the body, so it is cut. */
export const fieldErrorLengthMax = 500

/** The errors of an issue, path by path. */
export const errorsOf = (issue: SchemaIssue.Issue): ReadonlyArray<FieldError> =>
  formatIssue(issue)
    .issues.slice(0, fieldErrorsMax)
    .map(({ message, path }) => ({
      path: (path ?? [])
        .map((step) => String(typeof step === "object" ? step.key : step))
        .join(".")
        .slice(0, fieldErrorLengthMax),
      message: message.slice(0, fieldErrorLengthMax)
    }))
