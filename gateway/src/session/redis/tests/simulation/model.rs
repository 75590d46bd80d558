//! A model of Redis, as far as the gateways' scripts need one. It runs the scripts themselves, has a clock that the
//! test moves, and tells whoever has read a key when that changes, once, as client-side caching does.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use mlua::{Function, Lua, Table, Variadic};
use redis::Value;

type Bytes = Vec<u8>;

/// One Redis.
pub(super) struct Model {
    lua: Lua,
    data: Rc<RefCell<Data>>,
    scripts: HashMap<Bytes, Function>,
}

/// What it says without being asked: to which connection, and which key has changed.
pub(super) type Push = (u64, Bytes);

#[derive(Default)]
struct Data {
    now: u64,
    /// Whose script runs.
    caller: u64,
    keys: BTreeMap<Bytes, (Kept, Option<u64>)>,
    watched: HashMap<Bytes, BTreeSet<u64>>,
    pushes: Vec<Push>,
}

enum Kept {
    Text(Bytes),
    Hash(BTreeMap<Bytes, Bytes>),
    Sorted(BTreeMap<Bytes, f64>),
}

impl Model {
    /// An empty one, at `now` by its clock, in milliseconds.
    pub(super) fn new(now: u64) -> Self {
        let (lua, data) = (Lua::new(), Rc::new(RefCell::new(Data { now, ..Data::default() })));
        let called = Rc::clone(&data);
        let call = lua
            .create_function(move |lua, words: Variadic<mlua::Value>| {
                let words: Vec<Bytes> = words.iter().map(word).collect();
                called.borrow_mut().call(lua, &words)
            })
            .unwrap();
        let redis = lua.create_table().unwrap();
        redis.set("call", call).unwrap();
        lua.globals().set("redis", redis).unwrap();
        Self { lua, data, scripts: HashMap::new() }
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, millis: u64) {
        let mut data = self.data.borrow_mut();
        data.now += millis;
        let now = data.now;
        let is_over = |(_, ends): &(Kept, Option<u64>)| ends.is_some_and(|ends| ends <= now);
        let over = data.keys.iter().filter(|(_, it)| is_over(it)).map(|(key, _)| key.clone());
        for key in over.collect::<Vec<_>>() {
            data.keys.remove(&key);
            // Nobody has done it: also whoever wants not to hear of their own changes is told.
            data.caller = 0;
            data.changed(&key);
        }
    }

    /// Carries out what `connection` asks; what it says to others, [`Model::pushes`] has then.
    pub(super) fn carry_out(&mut self, connection: u64, words: &[Bytes]) -> Value {
        match (&*words[0], &words[1..]) {
            (b"EVALSHA", [digest, count, rest @ ..]) => {
                let Some(script) = self.scripts.get(digest) else {
                    return redis::parse_redis_value(b"-NOSCRIPT unknown\r\n").unwrap();
                };
                let count: usize = std::str::from_utf8(count).unwrap().parse().unwrap();
                let (keys, arguments) = rest.split_at(count);
                for (name, words) in [("KEYS", keys), ("ARGV", arguments)] {
                    let words = words.iter().map(|word| self.lua.create_string(word).unwrap());
                    let words = self.lua.create_sequence_from(words).unwrap();
                    self.lua.globals().set(name, words).unwrap();
                }
                self.data.borrow_mut().caller = connection;
                reply(&script.call(()).unwrap())
            }
            (b"SCRIPT", [_load, text]) => {
                let digest = redis::Script::new(std::str::from_utf8(text).unwrap());
                let digest = digest.get_hash().as_bytes().to_vec();
                let script = self.lua.load(&text[..]).into_function().unwrap();
                self.scripts.insert(digest.clone(), script);
                Value::BulkString(digest)
            }
            _ => unreachable!("gateways ask for scripts only"),
        }
    }

    /// What is to be said.
    pub(super) fn pushes(&mut self) -> Vec<Push> {
        std::mem::take(&mut self.data.borrow_mut().pushes)
    }

    /// A connection is gone.
    pub(super) fn forget(&mut self, connection: u64) {
        for watching in self.data.borrow_mut().watched.values_mut() {
            watching.remove(&connection);
        }
    }
}

impl Data {
    /// A command of a script.
    fn call(&mut self, lua: &Lua, words: &[Bytes]) -> mlua::Result<mlua::Value> {
        let name = std::str::from_utf8(&words[0]).unwrap();
        let key = words.get(1).cloned().unwrap_or_default();
        let rest = words.get(2..).unwrap_or_default();
        if [
            "HGETALL",
            "HGET",
            "HEXISTS",
            "GET",
            "PTTL",
            "EXISTS",
            "ZRANGE",
            "ZRANGEBYSCORE",
            "ZCOUNT",
        ]
        .contains(&name)
        {
            self.watched.entry(key.clone()).or_default().insert(self.caller);
        }
        let text = |bytes: &Bytes| lua.create_string(bytes).map(mlua::Value::String);
        let texts = |all: Vec<&Bytes>| {
            let all = all.into_iter().map(text).collect::<mlua::Result<Vec<_>>>()?;
            lua.create_sequence_from(all).map(mlua::Value::Table)
        };
        let found = |bytes: Option<&Bytes>| bytes.map_or(Ok(mlua::Value::Boolean(false)), text);
        match name {
            "TIME" => {
                let (seconds, micros) = (self.now / 1000, self.now % 1000 * 1000);
                let words = [seconds, micros].map(|number| number.to_string().into_bytes());
                return texts(words.iter().collect());
            }
            "GET" => {
                return found(match self.keys.get(&key) {
                    Some((Kept::Text(text), _)) => Some(text),
                    _ => None,
                });
            }
            "HGET" => return found(self.hash(&key).and_then(|hash| hash.get(&rest[0]))),
            "HGETALL" => {
                let pairs = self.hash(&key).into_iter().flatten();
                return texts(pairs.flat_map(|(field, value)| [field, value]).collect());
            }
            "ZRANGE" => return texts(self.between(&key, b"-inf", b"+inf")),
            "ZRANGEBYSCORE" => {
                let mut found = self.between(&key, &rest[0], &rest[1]);
                if let [_, _, _limit, from, most] = rest {
                    found = found.into_iter().skip(number(from) as usize).collect();
                    found.truncate(number(most) as usize);
                }
                return texts(found);
            }
            _ => {}
        }
        let count = match name {
            "ZCOUNT" => self.between(&key, &rest[0], &rest[1]).len() as f64,
            "ZCARD" => match self.keys.get(&key) {
                Some((Kept::Sorted(sorted), _)) => sorted.len() as f64,
                _ => 0.0,
            },
            "HEXISTS" => f64::from(self.hash(&key).is_some_and(|it| it.contains_key(&rest[0]))),
            "EXISTS" => f64::from(self.keys.contains_key(&key)),
            "PTTL" => match self.keys.get(&key) {
                None => -2.0,
                Some((_, None)) => -1.0,
                Some((_, Some(ends))) => (ends - self.now) as f64,
            },
            _ => f64::from(self.write(name, &key, rest)),
        };
        Ok(mlua::Value::Number(count))
    }

    /// Does what changes something; returns whether it did.
    fn write(&mut self, name: &str, key: &Bytes, rest: &[Bytes]) -> bool {
        let now = self.now;
        let is_there = self.keys.contains_key(key);
        let has_changed = match (name, rest) {
            ("DEL", []) => self.keys.remove(key).is_some(),
            ("SET", [value, _px, life]) => {
                let ends = Some(now + number(life) as u64);
                self.keys.insert(key.clone(), (Kept::Text(value.clone()), ends));
                true
            }
            ("PEXPIREAT", [ends]) if is_there => {
                self.expire(key, number(ends) as u64);
                true
            }
            ("PEXPIRE", [life]) if is_there => {
                self.expire(key, now + number(life) as u64);
                true
            }
            ("HSET", fields) => {
                let empty = || (Kept::Hash(BTreeMap::new()), None);
                let Kept::Hash(hash) = &mut self.keys.entry(key.clone()).or_insert_with(empty).0
                else {
                    unreachable!()
                };
                hash.extend(fields.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())));
                true
            }
            ("HDEL", [field]) => match self.keys.get_mut(key) {
                Some((Kept::Hash(hash), _)) => hash.remove(field).is_some(),
                _ => false,
            },
            ("ZADD", [score, member]) => {
                let empty = || (Kept::Sorted(BTreeMap::new()), None);
                let Kept::Sorted(sorted) =
                    &mut self.keys.entry(key.clone()).or_insert_with(empty).0
                else {
                    unreachable!()
                };
                sorted.insert(member.clone(), number(score)) != Some(number(score))
            }
            ("ZREM", [member]) => match self.keys.get_mut(key) {
                Some((Kept::Sorted(sorted), _)) => sorted.remove(member).is_some(),
                _ => false,
            },
            ("ZREMRANGEBYSCORE", [from, to]) => {
                let gone: Vec<_> = self.between(key, from, to).into_iter().cloned().collect();
                gone.iter()
                    .fold(false, |_, member| self.write("ZREM", key, std::slice::from_ref(member)))
            }
            ("PEXPIREAT" | "PEXPIRE", _) => false,
            _ => unreachable!("{name} is no command of a script"),
        };
        let is_empty = match self.keys.get(key) {
            Some((Kept::Hash(hash), _)) => hash.is_empty(),
            Some((Kept::Sorted(sorted), _)) => sorted.is_empty(),
            _ => false,
        };
        if is_empty {
            self.keys.remove(key);
        }
        if has_changed {
            self.changed(key);
        }
        has_changed
    }

    fn expire(&mut self, key: &Bytes, ends: u64) {
        if ends <= self.now {
            self.keys.remove(key);
        } else if let Some((_, its)) = self.keys.get_mut(key) {
            *its = Some(ends);
        }
    }

    /// Tells those who have read `key` since it changed last, but not whoever changes it: `NOLOOP`.
    fn changed(&mut self, key: &Bytes) {
        let watching = self.watched.remove(key).unwrap_or_default();
        let others = watching.into_iter().filter(|it| *it != self.caller);
        self.pushes.extend(others.map(|it| (it, key.clone())));
    }

    fn hash(&self, key: &Bytes) -> Option<&BTreeMap<Bytes, Bytes>> {
        match self.keys.get(key) {
            Some((Kept::Hash(hash), _)) => Some(hash),
            _ => None,
        }
    }

    /// What of a sorted set has scores between these, the lowest first.
    fn between(&self, key: &Bytes, from: &[u8], to: &[u8]) -> Vec<&Bytes> {
        let Some((Kept::Sorted(sorted), _)) = self.keys.get(key) else { return Vec::new() };
        let is_above = |score: f64| match from.strip_prefix(b"(") {
            Some(from) => score > number(from),
            None => score >= number(from),
        };
        let within = sorted.iter().filter(|(_, score)| is_above(**score) && **score <= number(to));
        let mut found: Vec<_> = within.collect();
        found.sort_by(|a, b| a.1.total_cmp(b.1));
        found.into_iter().map(|(member, _)| member).collect()
    }
}

fn number(text: &[u8]) -> f64 {
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

/// A word of a command, as Redis writes what a script passes.
fn word(value: &mlua::Value) -> Bytes {
    match value {
        mlua::Value::String(text) => text.as_bytes().to_vec(),
        mlua::Value::Integer(number) => number.to_string().into_bytes(),
        mlua::Value::Number(number) => number.to_string().into_bytes(),
        other => unreachable!("a script passes {other:?}"),
    }
}

/// What a script returns, as Redis hands it on: numbers without a fraction, lists up to the first nothing.
fn reply(value: &mlua::Value) -> Value {
    match value {
        mlua::Value::Nil | mlua::Value::Boolean(false) => Value::Nil,
        mlua::Value::Boolean(true) => Value::Int(1),
        mlua::Value::Integer(number) => Value::Int(*number),
        mlua::Value::Number(number) => Value::Int(*number as i64),
        mlua::Value::String(text) => Value::BulkString(text.as_bytes().to_vec()),
        mlua::Value::Table(table) => Value::Array(list(table)),
        other => unreachable!("a script returns {other:?}"),
    }
}

fn list(table: &Table) -> Vec<Value> {
    table.sequence_values::<mlua::Value>().map(|value| reply(&value.unwrap())).collect()
}
