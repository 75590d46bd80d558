// InfluxDB 3's official JavaScript client through the gateway, with nothing but a token: writes, queries, and is refused.

import assert from 'node:assert/strict'
import {InfluxDBClient} from '@influxdata/influxdb3-client'

const {GATEWAY_URL: host, TOKEN} = process.env
const open = token => new InfluxDBClient({host, token, database: 'home'})

async function query(client, sql) {
  let [count, last] = [0, undefined]
  for await (const row of client.query(sql, 'home')) {
    count++
    last = row.n
  }
  return [count, last]
}

const client = open(TOKEN)
await client.write('air,place=hall value=1 1\nair,place=hall value=2 2')
const [count, last] = await query(client, 'rows 10000')
await assert.rejects(query(client, 'fail'), /no such table: 50 % of ü/)
await client.close()

const stranger = open('igw_' + 'A'.repeat(43))
await assert.rejects(stranger.write('air value=3 3'), {statusCode: 401})
await assert.rejects(query(stranger, 'rows 1'), {code: 'UNAUTHENTICATED'})
await stranger.close()
console.log(`wrote, read ${count} up to ${last}, was told why not, was refused`)
