// The real JavaScript client before a real InfluxDB: what it sees, as one line of JSON.

import {InfluxDB} from '@influxdata/influxdb-client'
import {
  BucketsAPI,
  DeleteAPI,
  MeAPI,
  OrgsAPI,
  TasksAPI,
  UsersAPI,
} from '@influxdata/influxdb-client-apis'
import {signIn, signOut} from './session.mjs'

const POINTS = 5_000
const NEW_PASSWORD = 'battery staple'
const {GATEWAY_URL: url, GATEWAY_USER: user, GATEWAY_PASSWORD: password, GATEWAY_TOKEN: token} = process.env
const [start, stop] = ['2023-11-14T00:00:00Z', '2023-11-15T00:00:00Z']
const measured = `from(bucket: "weather") |> range(start: ${start}, stop: ${stop}) |> filter(fn: (r) => r._measurement == `
const air = `${measured}"air") |> pivot(rowKey: ["place"], columnKey: ["_field"], valueColumn: "_value") |> group() |> sort()`
const count = `${measured}"probe") |> group() |> count()`

/** What a call is refused with. */
async function refusal(call) {
  try {
    await call
  } catch (error) {
    return error.body === undefined ? String(error) : JSON.parse(error.body).message
  }
  throw new Error('not refused')
}

const session = token ? {} : await signIn(new InfluxDB({url}), user, password)
const influxDB = new InfluxDB({url, token, ...session})
const queries = influxDB.getQueryApi('home')
const rows = async () =>
  (await queries.collectRows(air)).map(row =>
    [row.place, row.temperature, row.count, row.open, row.note].map(value => value ?? null)
  )
const probes = async () => {
  let sum = 0
  for await (const {values, tableMeta} of queries.iterateRows(count)) {
    sum += tableMeta.toObject(values)._value
  }
  return sum
}

const seen = {}
const api = new MeAPI(influxDB)
const me = await api.getMe(undefined, session)
seen.me = me.name
const found = await new UsersAPI(influxDB).getUsers({name: me.name}, session)
seen.users = found.users.map(({name}) => name)

const writer = influxDB.getWriteApi('home', 'weather', 's', {batchSize: 1_001})
writer.writeRecord(
  'air,place=inside temperature=19.5,count=3i,open=true,note="warm, \\"dry\\", café" 1700000000'
)
writer.writeRecord('air,place=outside temperature=-3,note="rain" 1700000000')
for (let n = 0; n < POINTS; n++) {
  if (n % 1_000 === 0) await writer.flush()
  writer.writeRecord(`probe,host=h${n % 10} value=${n} ${1_700_000_000 + n}`)
}
await writer.close()
seen.air = await rows()
seen.probes = await probes()
seen['bad query'] = await refusal(queries.collectRows('nope'))
const remove = predicate =>
  new DeleteAPI(influxDB).postDelete({org: 'home', bucket: 'weather', body: {start, stop, predicate}}, session)
await remove('_measurement="probe"')
seen['probes deleted'] = [(await rows()).length, await probes()]
await remove('')
seen['all deleted'] = [(await rows()).length, await probes()]

const [buckets, tasks] = [new BucketsAPI(influxDB), new TasksAPI(influxDB)]
const [{id: orgID}] = (await new OrgsAPI(influxDB).getOrgs({org: 'home'}, session)).orgs
const bucketNames = async () =>
  (await buckets.getBuckets(undefined, session)).buckets
    .map(({name}) => name)
    .filter(name => !name.startsWith('_'))
    .sort()
const bucket = await buckets.postBuckets({body: {orgID, name: 'spare', retentionRules: []}}, session)
seen.buckets = await bucketNames()
await buckets.deleteBucketsID({bucketID: bucket.id}, session)
seen['buckets left'] = await bucketNames()
const taskNames = async () => (await tasks.getTasks({user: me.id}, session)).tasks.map(({name}) => name)
const flux = `option task = {name: "hourly", every: 1h}\n${measured}"air")`
const task = await tasks.postTasks({body: {orgID, flux}}, session)
seen.tasks = await taskNames()
await tasks.deleteTasksID({taskID: task.id}, session)
seen['tasks left'] = await taskNames()

if (!token) {
  await api.putMePassword({auth: {user, password}, body: {password: NEW_PASSWORD}}, session)
  seen['old password'] = await refusal(signIn(influxDB, user, password))
  const plain = new InfluxDB({url})
  const fresh = await signIn(plain, user, NEW_PASSWORD)
  seen['new password'] = (await new MeAPI(plain).getMe(undefined, fresh)).name
  await signOut(plain, fresh)
  seen['signed out'] = [
    await refusal(new MeAPI(plain).getMe(undefined, fresh)),
    await refusal(new InfluxDB({url, ...fresh}).getQueryApi('home').collectRows(count)),
    await refusal(signOut(plain, fresh)),
  ]
  await signOut(plain, session)
}
console.log(JSON.stringify(seen))
