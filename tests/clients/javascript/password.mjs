// The real JavaScript client changes its password: its other sessions end, this one goes on.

import assert from 'node:assert/strict'
import {InfluxDB} from '@influxdata/influxdb-client'
import {MeAPI} from '@influxdata/influxdb-client-apis'
import {signIn, signOut} from './session.mjs'

const NEW_PASSWORD = 'battery staple'
const {GATEWAY_URL: url, GATEWAY_USER: user, GATEWAY_PASSWORD: password} = process.env
const unauthorized = {statusCode: 401, message: 'unauthorized access'}

const influxDB = new InfluxDB({url})
const me = new MeAPI(influxDB)
const [mine, other] = [
  await signIn(influxDB, user, password),
  await signIn(influxDB, user, password),
]
const change = (old, session) =>
  me.putMePassword({auth: {user, password: old}, body: {password: NEW_PASSWORD}}, session)

await assert.rejects(change('wrong', mine), {statusCode: 403})
await change(password, mine)
// The client leaves its Basic credentials in the options, now with a password that is no more.
assert.match(mine.headers.authorization, /^Basic /)
assert.equal((await me.getMe(undefined, mine)).name, user)
await assert.rejects(me.getMe(undefined, other), unauthorized)
await assert.rejects(signIn(influxDB, user, password), unauthorized)
await signOut(influxDB, mine)
await signOut(influxDB, await signIn(influxDB, user, NEW_PASSWORD))
console.log('password changed, the other session ended, signed in anew')
