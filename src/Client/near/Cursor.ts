/** Reads the cursor of a list that a node's own code gives. Http/ListQuery.ts reads that of a URL. Pure. */
import { Result } from "effect"
import { decodeCursor } from "../../Http/Cursor.ts"
import * as Asking from "../../Machine/Asking.ts"
import type { OrderValue } from "../../Machine/Order.ts"
import type { FieldError } from "../../Model/FieldError.ts"
import type { RowClass, RowCodecs } from "../../Model/RowCodecs.ts"
import type { Listed, ListOptions } from "../ListOptions.ts"

/** Reads the order key after which the next page starts. */
export const afterOf = <M extends RowClass>(
  { descriptor, fields }: RowCodecs<M>,
  { orderBy }: Listed,
  { cursor, fingerprint }: Required<Pick<ListOptions<M>, "cursor">> & { readonly fingerprint: string }
): Result.Result<ReadonlyArray<OrderValue>, ReadonlyArray<FieldError>> => {
  const wrong = (message: string) => Result.fail([{ path: "cursor", message }])
  const decoded = decodeCursor(cursor, { fingerprint, keyCount: orderBy.length })
  if (Result.isFailure(decoded)) return wrong(decoded.failure.message)
  const isKey = Asking.canFollow(fields, descriptor.idField, orderBy, decoded.success)
  return isKey ? Result.succeed(decoded.success) : wrong("The cursor is not one of ours")
}
