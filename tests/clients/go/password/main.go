// The real Go client changes its password: its other sessions end, this one goes on.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
)

const newPassword = "battery staple"

func main() {
	log.SetFlags(log.Lshortfile)
	user, old := os.Getenv("GATEWAY_USER"), os.Getenv("GATEWAY_PASSWORD")
	ctx := context.Background()
	mine, other := users(), users()
	done(mine.SignIn(ctx, user, old))
	done(other.SignIn(ctx, user, old))

	refused("a wrong old password", mine.MeUpdatePassword(ctx, "wrong", newPassword))
	done(mine.MeUpdatePassword(ctx, old, newPassword))

	_, err := mine.Me(ctx)
	done(err)
	_, err = other.Me(ctx)
	refused("the other session", err)
	refused("the old password", other.SignIn(ctx, user, old))
	done(other.SignIn(ctx, user, newPassword))
	done(other.SignOut(ctx))
	done(mine.SignOut(ctx))
	fmt.Println("password changed, the other session ended, signed in anew")
}

// users is the users' part of a client of its own.
func users() api.UsersAPI {
	return influxdb2.NewClient(os.Getenv("GATEWAY_URL"), "").UsersAPI()
}

// done ends the program if a call failed.
func done(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

// refused ends the program unless a call failed.
func refused(call string, err error) {
	if err == nil {
		log.Fatalf("%s is not refused", call)
	}
}
