/** Puts work off until somebody asks for its result, and does it once. Pure. */

/** Makes the value when it is first asked for, and keeps it. */
export const once = <A>(make: () => A): (() => A) => {
  let made: { readonly value: A } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
