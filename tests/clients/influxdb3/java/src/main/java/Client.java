import com.influxdb.v3.client.InfluxDBClient;
import java.util.concurrent.Callable;

/** InfluxDB 3's official Java client through the gateway, with nothing but a token: writes, queries, and is refused. */
class Client {
    public static void main(String[] arguments) throws Exception {
        long count;
        Object last = null;
        try (var client = open(System.getenv("TOKEN"))) {
            client.writeRecord("air,place=hall value=1 1\nair,place=hall value=2 2");
            try (var rows = client.query("rows 10000")) {
                var all = rows.toList();
                count = all.size();
                last = all.get(all.size() - 1)[0];
            }
            refused("no such table", () -> read(client, "fail"));
        }
        try (var stranger = open("igw_" + "A".repeat(43))) {
            refused("unauthorized", () -> {
                stranger.writeRecord("air value=3 3");
                return null;
            });
            refused("unauthorized", () -> read(stranger, "rows 1"));
        }
        System.out.printf("wrote, read %d up to %s, was told why not, was refused%n", count, last);
    }

    private static InfluxDBClient open(String token) {
        return InfluxDBClient.getInstance(System.getenv("GATEWAY_URL"), token.toCharArray(), "home");
    }

    private static Object read(InfluxDBClient client, String sql) {
        try (var rows = client.query(sql)) {
            return rows.count();
        }
    }

    /** Ends the program unless a call fails with these words. */
    private static void refused(String words, Callable<Object> call) throws Exception {
        try {
            call.call();
        } catch (Exception error) {
            if (String.valueOf(error.getMessage()).contains(words)) {
                return;
            }
            throw error;
        }
        throw new AssertionError("not refused: " + words);
    }
}
