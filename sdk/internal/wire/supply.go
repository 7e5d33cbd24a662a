package wire

import (
	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
)

func EncodeSupply(s *sdk.Supply) *pb.Supply {
	return &pb.Supply{
		Run: Text(s.Run), Sources: texts[string](s.Sources),
		Username: Text(string(s.Username)), AuthorizedNif: Text(string(s.AuthorizedNIF)),
		Cups: Text(string(s.CUPS)), Distributor: Text(string(s.Distributor)), DistributorName: Text(s.DistributorName),
		Address: Text(s.Address), PostalCode: Text(s.PostalCode),
		Province: Text(s.Province), ProvinceCode: Text(s.ProvinceCode),
		Municipality: Text(s.Municipality), MunicipalityCode: Text(s.MunicipalityCode),
		PointType: int32(s.PointType), ValidFrom: stamp(s.ValidFrom), ValidTo: stamp(s.ValidTo),
		Contracts: Each(s.Contracts, encodeContract), Measurements: Each(s.Measurements, EncodeSeries),
		FetchedAt: stamp(s.FetchedAt), RawJson: s.Raw,
	}
}

func DecodeSupply(m *pb.Supply) sdk.Supply {
	return sdk.Supply{
		Run: m.GetRun(), Sources: m.GetSources(),
		Username: sdk.NIF(m.GetUsername()), AuthorizedNIF: sdk.NIF(m.GetAuthorizedNif()),
		CUPS: sdk.CUPS(m.GetCups()), Distributor: sdk.Distributor(m.GetDistributor()),
		DistributorName: m.GetDistributorName(),
		Address:         m.GetAddress(), PostalCode: m.GetPostalCode(),
		Province: m.GetProvince(), ProvinceCode: m.GetProvinceCode(),
		Municipality: m.GetMunicipality(), MunicipalityCode: m.GetMunicipalityCode(),
		PointType: int(m.GetPointType()), ValidFrom: unstamp(m.GetValidFrom()), ValidTo: unstamp(m.GetValidTo()),
		Contracts: Each(m.GetContracts(), decodeContract), Measurements: Each(m.GetMeasurements(), DecodeSeries),
		FetchedAt: unstamp(m.GetFetchedAt()), Raw: orNil(m.GetRawJson()),
	}
}

func encodeContract(c sdk.Contract) *pb.Contract {
	return &pb.Contract{
		Marketer: Text(c.Marketer), Tension: Text(c.Tension), AccessFare: Text(c.AccessFare), FareCode: Text(c.FareCode),
		ContractedPower:    Each(c.ContractedPower, encodeDecimal),
		TimeDiscrimination: Text(c.TimeDiscrimination), PowerControl: Text(c.PowerControl),
		StartDate: stamp(c.StartDate), EndDate: stamp(c.EndDate), LastMarketerDate: stamp(c.LastMarketerDate),
		MaxPowerInstall: Text(c.MaxPowerInstall),
		Owners: Each(c.Owners, func(o sdk.OwnerPeriod) *pb.OwnerPeriod {
			return &pb.OwnerPeriod{Start: stamp(o.Start), End: stamp(o.End)}
		}),
		SelfConsumptionCode: Text(c.SelfConsumptionCode), SelfConsumption: Text(c.SelfConsumption),
		Section: Text(c.Section), Subsection: Text(c.Subsection), Cau: Text(c.CAU),
		Partition: encodeOptional(c.Partition), InstalledCapacity: encodeOptional(c.InstalledCapacity),
	}
}

func decodeContract(m *pb.Contract) sdk.Contract {
	return sdk.Contract{
		Marketer: m.GetMarketer(), Tension: m.GetTension(), AccessFare: m.GetAccessFare(), FareCode: m.GetFareCode(),
		ContractedPower:    Each(m.GetContractedPower(), decodeDecimal),
		TimeDiscrimination: m.GetTimeDiscrimination(), PowerControl: m.GetPowerControl(),
		StartDate: unstamp(m.GetStartDate()), EndDate: unstamp(m.GetEndDate()),
		LastMarketerDate: unstamp(m.GetLastMarketerDate()), MaxPowerInstall: m.GetMaxPowerInstall(),
		Owners: Each(m.GetOwners(), func(o *pb.OwnerPeriod) sdk.OwnerPeriod {
			return sdk.OwnerPeriod{Start: unstamp(o.GetStart()), End: unstamp(o.GetEnd())}
		}),
		SelfConsumptionCode: m.GetSelfConsumptionCode(), SelfConsumption: m.GetSelfConsumption(),
		Section: m.GetSection(), Subsection: m.GetSubsection(), CAU: m.GetCau(),
		Partition: decodeOptional(m.GetPartition()), InstalledCapacity: decodeOptional(m.GetInstalledCapacity()),
	}
}

func encodeDecimal(d sdk.Decimal) *pb.Decimal { return &pb.Decimal{Units: d.Units, Scale: d.Scale} }

// decodeDecimal drops a scale that no decimal has, as it would end the reader.
func decodeDecimal(m *pb.Decimal) sdk.Decimal {
	if m.GetScale() < 0 || m.GetScale() > sdk.MaxScale {
		return sdk.Decimal{}
	}
	return sdk.Decimal{Units: m.GetUnits(), Scale: m.GetScale()}
}

func encodeOptional(d *sdk.Decimal) *pb.Decimal {
	if d == nil {
		return nil
	}
	return encodeDecimal(*d)
}

func decodeOptional(m *pb.Decimal) *sdk.Decimal {
	if m == nil {
		return nil
	}
	d := decodeDecimal(m)
	return &d
}
