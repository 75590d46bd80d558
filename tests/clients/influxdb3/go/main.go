// InfluxDB 3's official Go client through the gateway, with nothing but a token: writes, queries, and is refused.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/InfluxCommunity/influxdb3-go/v2/influxdb3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var ctx = context.Background()

func main() {
	log.SetFlags(log.Lshortfile)
	client := open(os.Getenv("TOKEN"))
	defer client.Close()
	done(client.Write(ctx, []byte("air,place=hall value=1 1\nair,place=hall value=2 2")))
	count, last, err := query(client, "rows 10000")
	done(err)
	_, _, failure := query(client, "fail")
	if failure == nil || !strings.Contains(failure.Error(), "no such table: 50 % of ü") {
		log.Fatal(failure)
	}
	stranger := open("igw_" + strings.Repeat("A", 43))
	defer stranger.Close()
	if err := stranger.Write(ctx, []byte("air value=3 3")); err == nil || !strings.Contains(err.Error(), "unauthorized") {
		log.Fatal(err)
	}
	_, _, refusal := query(stranger, "rows 1")
	if status.Code(refusal) != codes.Unauthenticated {
		log.Fatal(refusal)
	}
	fmt.Printf("wrote, read %d up to %d, was told why not, was refused\n", count, last)
}

func open(token string) *influxdb3.Client {
	client, err := influxdb3.New(influxdb3.ClientConfig{Host: os.Getenv("GATEWAY_URL"), Token: token, Database: "home"})
	done(err)
	return client
}

// query returns how many rows there are, and the last n.
func query(client *influxdb3.Client, sql string) (count int, last any, err error) {
	rows, err := client.Query(ctx, sql)
	if err != nil {
		return 0, nil, err
	}
	for rows.Next() {
		count, last = count+1, rows.Value()["n"]
	}
	return count, last, rows.Err()
}

// done ends the program if a call failed.
func done(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}
