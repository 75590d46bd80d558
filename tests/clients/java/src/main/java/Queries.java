import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.influxdb.client.InfluxDBClient;
import com.influxdb.client.InfluxDBClientFactory;
import com.influxdb.client.InfluxDBClientOptions;
import com.influxdb.client.WriteOptions;
import com.influxdb.client.domain.Bucket;
import com.influxdb.client.domain.Organization;
import com.influxdb.client.domain.Task;
import com.influxdb.client.domain.User;
import com.influxdb.client.domain.WritePrecision;
import com.influxdb.client.write.events.WriteErrorEvent;
import com.influxdb.exceptions.InfluxException;
import com.influxdb.query.FluxTable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;

/** The real Java client before a real InfluxDB: what it sees, as one line of JSON. */
class Queries {
    private static final int POINTS = 5_000;
    private static final String NEW_PASSWORD = "battery staple";
    private static final String START = "2023-11-14T00:00:00Z";
    private static final String STOP = "2023-11-15T00:00:00Z";
    private static final String MEASURED = "from(bucket: \"weather\") |> range(start: " + START + ", stop: "
            + STOP + ") |> filter(fn: (r) => r._measurement == ";
    private static final String AIR = MEASURED + "\"air\") |> pivot(rowKey: [\"place\"], columnKey: [\"_field\"], "
            + "valueColumn: \"_value\") |> group() |> sort()";
    private static final String COUNT = MEASURED + "\"probe\") |> group() |> count()";
    private static final String TOKEN = System.getenv("GATEWAY_TOKEN");
    private static final String OLD_PASSWORD = System.getenv("GATEWAY_PASSWORD");

    /** The cookie that was last sent. */
    private static final AtomicReference<String> cookie = new AtomicReference<>();

    private final Map<String, Object> seen = new LinkedHashMap<>();
    private final InfluxDBClient client;

    private Queries(InfluxDBClient client) {
        this.client = client;
    }

    public static void main(String[] arguments) {
        Map<String, Object> seen;
        try (var client = client(OLD_PASSWORD)) {
            var queries = new Queries(client);
            User me = queries.who();
            queries.data();
            queries.things(me);
            if (TOKEN == null) {
                queries.password();
            }
            seen = queries.seen;
        }
        System.out.println(new GsonBuilder().serializeNulls().create().toJson(seen));
    }

    /** A client by token, or one that signs in with {@code password} at once. */
    private static InfluxDBClient client(String password) {
        var options = InfluxDBClientOptions.builder().url(System.getenv("GATEWAY_URL")).org("home").bucket("weather");
        if (TOKEN != null) {
            return InfluxDBClientFactory.create(options.authenticateToken(TOKEN.toCharArray()).build());
        }
        var web = new OkHttpClient.Builder().addNetworkInterceptor(chain -> {
            var sent = chain.request().header("Cookie");
            if (sent != null) {
                cookie.set(sent);
            }
            return chain.proceed(chain.request());
        });
        options.okHttpClient(web).authenticate(System.getenv("GATEWAY_USER"), password.toCharArray());
        return InfluxDBClientFactory.create(options.build());
    }

    /** A client that signs in nowhere and sends this cookie. */
    private static InfluxDBClient clientWith(String cookie) {
        var web = new OkHttpClient.Builder().addInterceptor(chain ->
                chain.proceed(chain.request().newBuilder().header("Cookie", cookie).build()));
        return InfluxDBClientFactory.create(
                InfluxDBClientOptions.builder().url(System.getenv("GATEWAY_URL")).org("home").okHttpClient(web).build());
    }

    /** What a call is refused with. */
    private static String refusal(Runnable call) {
        try {
            call.run();
        } catch (InfluxException error) {
            return error.getMessage().replaceFirst("^HTTP status code: \\d+; Message: ", "");
        }
        throw new AssertionError("not refused");
    }

    /** What the client does when it is closed; but it tells nobody of the answer. */
    private static void signOut(String cookie) {
        var request = new Request.Builder().url(System.getenv("GATEWAY_URL") + "/api/v2/signout")
                .post(RequestBody.create(new byte[0])).header("Cookie", cookie).build();
        try (var answer = new OkHttpClient().newCall(request).execute()) {
            if (!answer.isSuccessful()) {
                var body = new Gson().fromJson(answer.body().charStream(), JsonObject.class);
                throw new InfluxException(body.get("message").getAsString());
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** Who it is, which is in the list of users. */
    private User who() {
        var users = client.getUsersApi();
        User me = users.me();
        seen.put("me", me.getName());
        var names = users.findUsers().stream().map(User::getName).filter(me.getName()::equals);
        seen.put("users", names.toList());
        return me;
    }

    /** Writes, queries, deletes. */
    private void data() {
        client.getWriteApiBlocking().writeRecords(WritePrecision.S, List.of(
                "air,place=inside temperature=19.5,count=3i,open=true,note=\"warm, \\\"dry\\\", café\" 1700000000",
                "air,place=outside temperature=-3,note=\"rain\" 1700000000"));
        try (var writer = client.makeWriteApi(WriteOptions.builder().batchSize(1000).build())) {
            writer.listenEvents(WriteErrorEvent.class, failure -> failure.getThrowable().printStackTrace());
            for (int n = 0; n < POINTS; n++) {
                writer.writeRecord(WritePrecision.S, "probe,host=h" + n % 10 + " value=" + n + " " + (1700000000 + n));
            }
        }
        seen.put("air", rows());
        seen.put("probes", probes());
        seen.put("bad query", refusal(() -> client.getQueryApi().query("nope")));
        var deletes = client.getDeleteApi();
        var start = OffsetDateTime.parse(START);
        var stop = OffsetDateTime.parse(STOP);
        deletes.delete(start, stop, "_measurement=\"probe\"", "weather", "home");
        seen.put("probes deleted", List.of(rows().size(), probes()));
        deletes.delete(start, stop, "", "weather", "home");
        seen.put("all deleted", List.of(rows().size(), probes()));
    }

    /** What the air is like. */
    private List<List<Object>> rows() {
        return client.getQueryApi().query(AIR).stream().map(FluxTable::getRecords).flatMap(List::stream)
                .map(record -> Stream.of("place", "temperature", "count", "open", "note")
                        .map(record::getValueByKey).toList())
                .toList();
    }

    /** How many probes there are. */
    private long probes() {
        var counts = new ArrayList<Long>();
        client.getQueryApi().query(COUNT).forEach(table ->
                table.getRecords().forEach(record -> counts.add((Long) record.getValue())));
        return counts.stream().mapToLong(Long::longValue).sum();
    }

    /** Makes, lists and deletes a bucket and a task. */
    private void things(User me) {
        var buckets = client.getBucketsApi();
        var tasks = client.getTasksApi();
        Organization org = client.getOrganizationsApi().findOrganizations().stream()
                .filter(found -> found.getName().equals("home")).findAny().orElseThrow();
        Bucket bucket = buckets.createBucket("spare", org);
        seen.put("buckets", bucketNames());
        buckets.deleteBucket(bucket);
        seen.put("buckets left", bucketNames());
        Task task = tasks.createTaskEvery("hourly", MEASURED + "\"air\")", "1h", org);
        seen.put("tasks", tasks.findTasksByUser(me).stream().map(Task::getName).toList());
        tasks.deleteTask(task);
        seen.put("tasks left", tasks.findTasksByUser(me).stream().map(Task::getName).toList());
    }

    private List<String> bucketNames() {
        return client.getBucketsApi().findBuckets().stream().map(Bucket::getName)
                .filter(name -> !name.startsWith("_")).sorted().toList();
    }

    /** Changes the password, signs in by it, signs out. */
    private void password() {
        client.getUsersApi().meUpdatePassword(OLD_PASSWORD, NEW_PASSWORD);
        try (var late = client(OLD_PASSWORD)) {
            seen.put("old password", refusal(() -> late.getUsersApi().me()));
        }
        try (var fresh = client(NEW_PASSWORD)) {
            seen.put("new password", fresh.getUsersApi().me().getName());
        }
        // The client signs out when it is closed; what is left is the cookie it had.
        try (var ended = clientWith(cookie.get())) {
            seen.put("signed out", Stream.<Runnable>of(
                    () -> ended.getUsersApi().me(),
                    () -> ended.getQueryApi().query(COUNT),
                    () -> signOut(cookie.get())).map(Queries::refusal).toList());
        }
    }
}
