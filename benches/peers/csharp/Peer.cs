// A typical till in C# on Mono: HttpClient and Json.NET.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Net.Http;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading;
using Newtonsoft.Json;

class Item { public string id; public long cost; }
class Purchase { public string status; }
class Reward { public string id; public bool redeemed; }

static class Peer
{
    const string ItemId = "b0000000-0000-4000-8000-000000000001";
    const int WarmUp = 20;
    const int ItemsOfASale = 10;

    static void Main(string[] words)
    {
        string root = words[0];
        var authority = new X509Certificate2(words[1]);
        int items = words[2].StartsWith("items:") ? int.Parse(words[2].Substring(6)) : -1;
        int count = int.Parse(words[3]);
        var handler = new HttpClientHandler();
        handler.ServerCertificateCustomValidationCallback =
            (request, certificate, chain, errors) => certificate.Issuer == authority.Subject;
        var client = new HttpClient(handler);
        client.DefaultRequestHeaders.Add("Accept", "application/json");
        client.DefaultRequestHeaders.Add("User-Agent", "Fixture/1.0");
        client.DefaultRequestHeaders.Add("apikey", "key");
        int pid = Process.GetCurrentProcess().Id;
        int pause = int.Parse(Environment.GetEnvironmentVariable("EPS_BENCH_PAUSE_US") ?? "0") / 1000;

        Func<int, string> member = number => "a0000000-0000-4000-8000-" + number.ToString("d12");
        Action<int> list = number =>
        {
            string url = root + "/api/v3/point-shop-items?contactId=" + member(number);
            var found = JsonConvert.DeserializeObject<List<Item>>(client.GetStringAsync(url).Result);
            if (found.Count(item => item.id != null && item.cost > 0) != number) throw new Exception("not the items that were due");
        };
        Func<string, object, string> post = (path, body) =>
        {
            var content = new StringContent(JsonConvert.SerializeObject(body), Encoding.UTF8, "application/json");
            return client.PostAsync(root + path, content).Result.Content.ReadAsStringAsync().Result;
        };
        Action<int> buy = number =>
        {
            string response = post("/api/v3/point-shop-items/purchase", new {
                contactId = string.Format("{0:x8}-0000-4000-8000-{1:x12}", pid, number),
                pointShopItemPurchaseId = string.Format("{0:x8}-0001-4000-8000-{1:x12}", pid, number),
                pointShopItemId = ItemId });
            if (JsonConvert.DeserializeObject<Purchase>(response).status != "Completed") throw new Exception("not completed");
        };
        Action redeem = () =>
        {
            string url = root + "/api/v3/promotion-assignments?redemptionChannelType=POS&contactId=" + member(ItemsOfASale);
            string id = JsonConvert.DeserializeObject<List<Reward>>(client.GetStringAsync(url).Result)[0].id;
            string response = post("/api/v3/promotion-assignments/" + id + "/redeem", new { redemptionChannelType = "POS" });
            if (!JsonConvert.DeserializeObject<Reward>(response).redeemed) throw new Exception("not redeemed");
        };
        Action<int> one = number =>
        {
            if (items >= 0) { list(items); return; }
            if (words[2] == "sale") list(ItemsOfASale);
            buy(number);
            if (words[2] == "sale") redeem();
        };

        var watch = Stopwatch.StartNew();
        one(0);
        Console.WriteLine("first {0:f0}", watch.Elapsed.TotalMilliseconds * 1e3);
        Console.ReadLine();
        for (int number = 1; number <= WarmUp; number++) one(number);
        var took = new double[count];
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        for (int number = 0; number < count; number++)
        {
            if (pause > 0) Thread.Sleep(pause);
            watch.Restart();
            one(WarmUp + 1 + number);
            took[number] = watch.Elapsed.TotalMilliseconds * 1e3;
        }
        cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
        Array.Sort(took);
        Console.WriteLine("p50 {0:f1} cpu {1:f1} p99 {2:f1} p999 {3:f1}", took[count / 2], cpu.TotalMilliseconds * 1e3 / count,
            took[count * 99 / 100], took[count * 999 / 1000]);
    }
}
