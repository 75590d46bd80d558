// The real Go client through the gateway: sign in, write, who am I, sign out.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
)

const points = 10_000

func main() {
	log.SetFlags(log.Lshortfile)
	user, password := os.Getenv("GATEWAY_USER"), os.Getenv("GATEWAY_PASSWORD")
	ctx := context.Background()
	client := influxdb2.NewClient(os.Getenv("GATEWAY_URL"), "")
	defer client.Close()
	users := client.UsersAPI()

	refused("a wrong password", users.SignIn(ctx, user, "wrong"))
	done(users.SignIn(ctx, user, password))

	writer := client.WriteAPI("o", "b")
	failures := writer.Errors()
	go func() {
		for failure := range failures {
			log.Fatal(failure)
		}
	}()
	now := time.Now()
	for n := 0; n < points; n++ {
		at := now.Add(-time.Duration(n) * 10 * time.Millisecond).UnixNano()
		writer.WriteRecord(fmt.Sprintf("probe,host=h%d value=%d %d", n%10, n, at))
	}
	writer.Flush()

	me, err := users.Me(ctx)
	done(err)
	// Outside the path of the cookie.
	alive, err := client.Ping(ctx)
	done(err)
	done(users.SignOut(ctx))
	refused("a second sign-out", users.SignOut(ctx))
	_, err = users.Me(ctx)
	refused("a call after the sign-out", err)
	fmt.Printf("user %s, ping %t, signed out\n", me.Name, alive)
}

// done ends the program if a call failed.
func done(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

// refused ends the program unless a call failed the way InfluxDB refuses.
func refused(call string, err error) {
	if err == nil || err.Error() != "unauthorized: unauthorized access" {
		log.Fatalf("%s: %v", call, err)
	}
}
