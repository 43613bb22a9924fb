/**
 * Deny by default, as the compiler sees it: once an application has `auth`, a model, command or projection that does not say
 * who may use it does not compile. Types only. Policy.ts refuses at start what a wider type hides from the compiler.
 */

/** What an application must be, with `auth` of this type. The compiler names the declaration that does not fit. */
export type DenyByDefault<Model, Command, Projection, A> = [A] extends [
  { readonly authenticators: ReadonlyArray<unknown> }
]
  ? {
      readonly models: ReadonlyArray<
        | Exclude<Model, { readonly "~lithair/isRuled"?: false }>
        | "with auth, a model says who may use it: give it `access`, or http: false"
      >
      readonly commands?: ReadonlyArray<
        | Exclude<Command, { readonly access: undefined; readonly isServed: true }>
        | "with auth, a command says who may run it: give it `access`"
      >
      readonly projections?: ReadonlyArray<
        | Exclude<Projection, { readonly access: undefined; readonly isServed: true }>
        | "with auth, a projection says who may read it: give it `access`, or http: false"
      >
    }
  : unknown
