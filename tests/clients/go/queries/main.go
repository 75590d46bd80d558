// The real Go client before a real InfluxDB: what it sees, as one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"sort"
	"strings"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
)

const (
	points      = 5_000
	newPassword = "battery staple"
	measured    = `from(bucket: "weather") |> range(start: 2023-11-14T00:00:00Z, stop: 2023-11-15T00:00:00Z)` +
		` |> filter(fn: (r) => r._measurement == `
	air = measured + `"air") |> pivot(rowKey: ["place"], columnKey: ["_field"], valueColumn: "_value")` +
		` |> group() |> sort()`
	count = measured + `"probe") |> group() |> count()`
)

var ctx = context.Background()

func main() {
	log.SetFlags(log.Lshortfile)
	user, old, token := os.Getenv("GATEWAY_USER"), os.Getenv("GATEWAY_PASSWORD"), os.Getenv("GATEWAY_TOKEN")
	seen := map[string]any{}
	client := influxdb2.NewClientWithOptions(os.Getenv("GATEWAY_URL"), token,
		influxdb2.DefaultOptions().SetBatchSize(1000).SetPrecision(time.Second).SetLogLevel(0))
	defer client.Close()
	users := client.UsersAPI()
	if token == "" {
		done(users.SignIn(ctx, user, old))
	}

	me, err := users.Me(ctx)
	done(err)
	seen["me"] = me.Name
	found, err := users.FindUserByName(ctx, me.Name)
	done(err)
	seen["users"] = []string{found.Name}

	data(client, seen)
	things(client, *me.Id, seen)
	if token == "" {
		done(users.MeUpdatePassword(ctx, old, newPassword))
		jar, err := cookiejar.New(nil)
		done(err)
		options := influxdb2.DefaultOptions().SetLogLevel(0).SetHTTPClient(&http.Client{Jar: jar})
		fresh := influxdb2.NewClientWithOptions(os.Getenv("GATEWAY_URL"), "", options)
		seen["old password"] = refusal(fresh.UsersAPI().SignIn(ctx, user, old))
		done(fresh.UsersAPI().SignIn(ctx, user, newPassword))
		me, err := fresh.UsersAPI().Me(ctx)
		done(err)
		seen["new password"] = me.Name
		seen["signed out"] = signedOut(fresh, jar)
		done(users.SignOut(ctx))
	}
	line, err := json.Marshal(seen)
	done(err)
	fmt.Println(string(line))
}

// data writes, queries, deletes.
func data(client influxdb2.Client, seen map[string]any) {
	queries, deletes := client.QueryAPI("home"), client.DeleteAPI()
	done(client.WriteAPIBlocking("home", "weather").WriteRecord(ctx,
		`air,place=inside temperature=19.5,count=3i,open=true,note="warm, \"dry\", café" 1700000000`,
		`air,place=outside temperature=-3,note="rain" 1700000000`))
	writer := client.WriteAPI("home", "weather")
	failures := writer.Errors()
	go func() {
		for failure := range failures {
			log.Fatal(failure)
		}
	}()
	for n := 0; n < points; n++ {
		writer.WriteRecord(fmt.Sprintf("probe,host=h%d value=%d %d", n%10, n, 1700000000+n))
	}
	writer.Flush()

	seen["air"], seen["probes"] = rows(queries), probes(queries)
	_, err := queries.Query(ctx, "nope")
	seen["bad query"] = refusal(err)
	start, stop := time.Unix(1699920000, 0), time.Unix(1700006400, 0)
	done(deletes.DeleteWithName(ctx, "home", "weather", start, stop, `_measurement="probe"`))
	seen["probes deleted"] = []int64{int64(len(rows(queries))), probes(queries)}
	done(deletes.DeleteWithName(ctx, "home", "weather", start, stop, ""))
	seen["all deleted"] = []int64{int64(len(rows(queries))), probes(queries)}
}

// rows is what the air is like.
func rows(queries api.QueryAPI) [][]any {
	rows := [][]any{}
	answer, err := queries.Query(ctx, air)
	done(err)
	for answer.Next() {
		record, row := answer.Record(), []any{}
		for _, key := range []string{"place", "temperature", "count", "open", "note"} {
			row = append(row, record.ValueByKey(key))
		}
		rows = append(rows, row)
	}
	done(answer.Err())
	return rows
}

// probes is how many there are.
func probes(queries api.QueryAPI) (sum int64) {
	answer, err := queries.Query(ctx, count)
	done(err)
	for answer.Next() {
		sum += answer.Record().Value().(int64)
	}
	done(answer.Err())
	return sum
}

// things makes, lists and deletes a bucket and a task.
func things(client influxdb2.Client, user string, seen map[string]any) {
	buckets, tasks := client.BucketsAPI(), client.TasksAPI()
	org, err := client.OrganizationsAPI().FindOrganizationByName(ctx, "home")
	done(err)
	bucketNames := func() (names []string) {
		all, err := buckets.GetBuckets(ctx)
		done(err)
		for _, bucket := range *all {
			if !strings.HasPrefix(bucket.Name, "_") {
				names = append(names, bucket.Name)
			}
		}
		sort.Strings(names)
		return names
	}
	bucket, err := buckets.CreateBucketWithName(ctx, org, "spare")
	done(err)
	seen["buckets"] = bucketNames()
	done(buckets.DeleteBucket(ctx, bucket))
	seen["buckets left"] = bucketNames()

	taskNames := func() []string {
		names := []string{}
		all, err := tasks.FindTasks(ctx, &api.TaskFilter{User: user})
		done(err)
		for _, task := range all {
			names = append(names, task.Name)
		}
		return names
	}
	task, err := tasks.CreateTaskWithEvery(ctx, "hourly", measured+`"air")`, "1h", *org.Id)
	done(err)
	seen["tasks"] = taskNames()
	done(tasks.DeleteTask(ctx, task))
	seen["tasks left"] = taskNames()
}

// signedOut signs out, and is what the client is then told with the cookie that it had: signing out
// clears it.
func signedOut(client influxdb2.Client, jar http.CookieJar) []string {
	users := client.UsersAPI()
	api, err := url.Parse(os.Getenv("GATEWAY_URL") + "/api/v2/me")
	done(err)
	cookies := jar.Cookies(api)
	done(users.SignOut(ctx))
	jar.SetCookies(api, cookies)
	_, me := users.Me(ctx)
	_, query := client.QueryAPI("home").Query(ctx, count)
	return []string{refusal(me), refusal(query), refusal(users.SignOut(ctx))}
}

// done ends the program if a call failed.
func done(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

// refusal is the message of an error that must be there: the client puts the code before it.
func refusal(err error) string {
	if err == nil {
		log.Output(2, "not refused")
		os.Exit(1)
	}
	_, message, _ := strings.Cut(err.Error(), ": ")
	return message
}
