/** Makes a token for the nodes of guarded.ts, and the key with which they check it. */
import * as jose from "jose"

export const issuer = "https://bench.example"
export const audience = "bench"

/** A token that outlives a benchmark, and its issuer's keys as JSON. ES256, as most issuers sign. */
export const makeToken = async (): Promise<{ readonly jwks: string; readonly token: string }> => {
  const { privateKey, publicKey } = await jose.generateKeyPair("ES256")
  const key = { ...(await jose.exportJWK(publicKey)), kid: "bench", alg: "ES256" }
  const token = await new jose.SignJWT({})
    .setProtectedHeader({ alg: "ES256", kid: "bench" })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject("ada")
    .setExpirationTime("1d")
    .sign(privateKey)
  return { jwks: JSON.stringify({ keys: [key] }), token }
}
