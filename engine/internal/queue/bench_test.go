package queue_test

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redistest"
)

// The benchmark's work: as many logins as a large deployment has, and more
// workers than cores, in a few processes.
const (
	benchGroups    = 500
	benchProcesses = 4
	benchWorkers   = 16 // of each process
)

// BenchmarkItem claims items and ends them as done, on one Redis. items/s is by
// the clock; items/cpu-s is what the server could do with a core of its own:
// all of its work is done by one. set/s is a plain SET by as many clients, for
// comparison.
func BenchmarkItem(b *testing.B) {
	for _, fsync := range []string{"always", "everysec"} {
		for _, atOnce := range []int{1, 10} {
			b.Run(fmt.Sprintf("fsync=%s/claim=%d", fsync, atOnce), func(b *testing.B) {
				client := redistest.Start(b, "--appendfsync", fsync).Backend().Admin(b, 0)
				filled(b, client)
				before := serverCPU(b, client)
				b.ResetTimer()
				drain(b, client, atOnce)
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
				b.ReportMetric(float64(b.N)/(serverCPU(b, client)-before), "items/cpu-s")
			})
		}
		b.Run("fsync="+fsync+"/set", func(b *testing.B) {
			client := redistest.Start(b, "--appendfsync", fsync).Backend().Admin(b, 0)
			b.SetParallelism(benchProcesses * benchWorkers / 2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := client.Set(b.Context(), "dd:x", "some value", 0).Err(); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "set/s")
		})
	}
}

func benchQueue(client redis.UniversalClient) *queue.Queue {
	return queue.New(client, queue.Devices, "bench", queue.Options{})
}

// filled puts as many supplies on the queue as the benchmark will take.
func filled(b *testing.B, client redis.UniversalClient) {
	b.Helper()
	q := benchQueue(client)
	body := []byte(strings.Repeat("x", 1000)) // of a supply with one account
	for first := 0; first < b.N; first += 1000 {
		lot := make([]queue.Item, 0, 1000)
		for i := first; i < min(first+1000, b.N); i++ {
			lot = append(lot, queue.Item{ID: fmt.Sprintf("ES%018d", i), Group: fmt.Sprintf("login%d", i%benchGroups), Body: body})
		}
		if _, err := q.Push(b.Context(), lot...); err != nil {
			b.Fatal(err)
		}
	}
}

// drain claims and ends all items, as the worker pools of some processes do.
func drain(b *testing.B, client redis.UniversalClient, atOnce int) {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var left atomic.Int64
	left.Store(int64(b.N))
	var workers sync.WaitGroup
	for i := range benchProcesses {
		q, name := benchQueue(client), "p"+strconv.Itoa(i)
		for range benchWorkers {
			workers.Go(func() {
				for left.Load() > 0 {
					leases, err := q.Claim(ctx, name, atOnce)
					if err != nil && ctx.Err() == nil {
						b.Error(err)
						return
					}
					for _, lease := range leases {
						if err := lease.Done(b.Context()); err != nil {
							b.Error(err)
							return
						}
						if left.Add(-1) == 0 {
							stop()
						}
					}
				}
			})
		}
	}
	workers.Wait()
}

// serverCPU is how many seconds the server has worked.
func serverCPU(b *testing.B, client redis.UniversalClient) (seconds float64) {
	b.Helper()
	info, err := client.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for lines := bufio.NewScanner(strings.NewReader(info)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name != "used_cpu_user" && name != "used_cpu_sys" {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			b.Fatal(err)
		}
		seconds += n
	}
	return seconds
}
