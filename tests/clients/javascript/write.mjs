// The real JavaScript client through the gateway: sign in, write, who am I, sign out.

import assert from 'node:assert/strict'
import {InfluxDB} from '@influxdata/influxdb-client'
import {MeAPI} from '@influxdata/influxdb-client-apis'
import {signIn, signOut} from './session.mjs'

const [POINTS, BATCH] = [10_000, 1_000]
const {GATEWAY_URL: url, GATEWAY_USER: user, GATEWAY_PASSWORD: password} = process.env
const unauthorized = {statusCode: 401, message: 'unauthorized access'}

const influxDB = new InfluxDB({url})
const me = new MeAPI(influxDB)
await assert.rejects(signIn(influxDB, user, 'wrong'), unauthorized)
const session = await signIn(influxDB, user, password)

// As in the client's examples the batches are flushed, and waited for, by hand: close() does not
// wait for those that the client sends of itself.
const writer = new InfluxDB({url, ...session}).getWriteApi('o', 'b', 'ms', {batchSize: BATCH + 1})
const now = Date.now()
for (let n = 0; n < POINTS; n++) {
  if (n % BATCH === 0) await writer.flush()
  writer.writeRecord(`probe,host=h${n % 10} value=${n} ${now - n * 10}`)
}
await writer.close()

const {name} = await me.getMe(undefined, session)
// The cookie decides, whatever Basic credentials come with it.
for (const auth of [{user, password}, {user: 'nobody', password: 'wrong'}]) {
  const both = {headers: {...session.headers}}
  assert.equal((await me.getMe({auth}, both)).name, name)
  assert.match(both.headers.authorization, /^Basic /)
}
await signOut(influxDB, session)
await assert.rejects(me.getMe(undefined, session), unauthorized)
await assert.rejects(signOut(influxDB, session), unauthorized)
console.log(`user ${name}, signed out`)
