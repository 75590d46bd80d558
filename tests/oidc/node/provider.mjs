// oidc-provider, a certified implementation of OpenID Connect, for the tests. Whoever asks says by X-Account who signs in,
// and POST /groups?sub=...&groups=a,b says in which groups somebody is.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import MemoryAdapter from 'oidc-provider/lib/adapters/memory_adapter.js';
import LRU from 'oidc-provider/lib/helpers/lru.js';

// What it has to say of itself is for nobody: the one line that is waited for is the issuer.
const say = console.log;
console.info = console.log = () => {};

const [clientId, clientSecret, gateway] = process.argv.slice(2);
const groups = new Map();

// By itself it remembers a thousand things, and a sign-in is several.
const store = new LRU({ maxSize: 100_000 });

const account = (_, sub) => ({
  accountId: sub,
  claims: async () => ({ sub, preferred_username: `user-${sub}`, groups: groups.get(sub) ?? ['writers'] }),
});

async function grantEverything(ctx) {
  const { client, session, provider } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid profile offline_access');
  await grant.save();
  return grant;
}

function key() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'ES256' };
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    adapter: (model) => new MemoryAdapter(model, store),
    clients: [{
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uris: [`${gateway}/gateway/oidc/real/callback`],
      post_logout_redirect_uris: [`${gateway}/gateway/`],
      backchannel_logout_uri: `${gateway}/gateway/oidc/real/backchannel-logout`,
      backchannel_logout_session_required: true,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    }],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['of no worth'] },
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    // It tells nobody on this machine that somebody has signed out, unless it is let: the gateway of a test is there.
    fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
    findAccount: account,
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    jwks: { keys: [key()] },
    loadExistingGrant: grantEverything,
    pkce: { required: () => true },
  });
  provider.on('server_error', (_, error) => console.error(error));
  provider.on('backchannel.error', (_, error) => console.error(error));
  const answer = provider.callback();
  server.on('request', async (request, response) => {
    const url = new URL(request.url, issuer);
    if (url.pathname === '/groups') {
      groups.set(url.searchParams.get('sub'), url.searchParams.get('groups').split(','));
      response.end();
    } else if (url.pathname.startsWith('/interaction/')) {
      const login = { accountId: request.headers['x-account'] };
      await provider.interactionFinished(request, response, { login });
    } else {
      answer(request, response);
    }
  });
  say(issuer);
});
