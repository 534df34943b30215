/** The settings of who may use the data API, in convict's form. */
export const accessSchema = {
  tokens: {
    doc: 'API tokens: what "holdfast token" prints. Each has a name, the SHA-256 of the token, scopes such as feedback:create, and may have a day on which it expires.',
    format: 'holdfast:api-tokens',
    default: [],
    env: 'API_TOKENS',
  },
  auth: {
    jwt: {
      issuer: {
        doc: 'Who signs the JWTs of users: the exact "iss". Unset: the provider of a Hugging Face Space with hf_oauth, otherwise no one.',
        format: 'holdfast:text',
        accepts: 'the "iss" of the tokens, such as https://login.example.com/',
        default: null,
        env: 'JWT_ISSUER',
        nullable: true,
      },
      audience: {
        doc: 'The "aud" that a JWT must have. Required with JWT_ISSUER.',
        format: 'holdfast:text',
        default: null,
        env: 'JWT_AUDIENCE',
        nullable: true,
      },
      jwksUrl: {
        doc: 'Where the public keys of the issuer are. Unset, without JWT_PUBLIC_KEY and JWT_SECRET: found by OpenID Connect discovery.',
        format: 'holdfast:web-address',
        default: null,
        env: 'JWT_JWKS_URL',
        nullable: true,
      },
      publicKey: {
        doc: 'The one public key of the issuer, as PEM text.',
        format: 'holdfast:public-key',
        default: null,
        env: 'JWT_PUBLIC_KEY',
        nullable: true,
      },
      secret: {
        doc: 'The secret that the issuer signs with (HS256). It makes JWT_JWKS_URL and JWT_PUBLIC_KEY an error.',
        format: 'holdfast:signing-secret',
        default: null,
        env: 'JWT_SECRET',
        sensitive: true,
        nullable: true,
      },
      algorithms: {
        doc: 'Algorithms that a JWT may be signed with. Empty: HS256 with JWT_SECRET, otherwise all others of the list.',
        format: 'holdfast:list',
        of: {
          format: [
            'RS256',
            'RS384',
            'RS512',
            'PS256',
            'PS384',
            'PS512',
            'ES256',
            'ES384',
            'ES512',
            'EdDSA',
            'HS256',
            'HS384',
            'HS512',
          ],
        },
        default: [],
        env: 'JWT_ALGORITHMS',
      },
    },
  },
} as const
