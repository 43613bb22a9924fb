/** Texts that are decimal numbers. */
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"

const decimalKey = "~lithair/decimal"

/**
 * Says that a field's text is a decimal number: it is filtered and ordered by its value, and no digit is lost.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "lithair"
 *
 * const Money = Schema.String.check(Schema.isPattern(/^\d+\.\d\d$/u)).pipe(Model.decimal)
 * ```
 */
export const decimal = <S extends Schema.Top & { readonly Encoded: string }>(schema: S): S["Rebuild"] =>
  schema.annotate({ [decimalKey]: true })

/** Whether a schema is marked by {@link decimal}. Checks that were added later hold the annotations of earlier ones. */
export const isDecimal = ({ annotations, checks }: SchemaAST.AST): boolean =>
  annotations?.[decimalKey] === true || checks?.some((check) => check.annotations?.[decimalKey] === true) === true
