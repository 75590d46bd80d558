// A session the way the client's own examples make one: the cookie is taken from the answer and
// handed to every call.

import {SigninAPI, SignoutAPI} from '@influxdata/influxdb-client-apis'

/** The options of calls in a new session. */
export async function signIn(influxDB, user, password) {
  let cookie
  const responseStarted = headers => {
    cookie = headers['set-cookie']?.[0].split(';')[0]
  }
  await new SigninAPI(influxDB).postSignin({auth: {user, password}}, {responseStarted})
  return {headers: {cookie}}
}

/** Ends the session of these options. */
export function signOut(influxDB, session) {
  return new SignoutAPI(influxDB).postSignout(undefined, session)
}
