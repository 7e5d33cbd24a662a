package datadis

import "github.com/datadis-engine/datadis/sdk"

func decodePower(body []byte, shape Shape) ([]*sdk.Chunk, Report, error) { return nil, Report{}, nil }
func decodeReactive(body []byte, shape Shape) ([]*sdk.Chunk, Report, error) {
	return nil, Report{}, nil
}
