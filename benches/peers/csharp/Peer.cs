// A typical till in C# on Mono: HttpClient and Json.NET.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Net.Http;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Newtonsoft.Json;

class Item { public string id; public long cost; }
class Purchase { public string status; }

static class Peer
{
    const string ItemId = "b0000000-0000-4000-8000-000000000001";
    const int WarmUp = 20;

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

        Action<int> one = number =>
        {
            if (items >= 0)
            {
                string url = root + "/api/v3/point-shop-items?contactId=a0000000-0000-4000-8000-" + items.ToString("d12");
                var list = JsonConvert.DeserializeObject<List<Item>>(client.GetStringAsync(url).Result);
                if (list.Count(item => item.id != null && item.cost > 0) != items) throw new Exception("not the items that were due");
            }
            else
            {
                string body = JsonConvert.SerializeObject(new {
                    contactId = string.Format("{0:x8}-0000-4000-8000-{1:x12}", pid, number),
                    pointShopItemPurchaseId = string.Format("{0:x8}-0001-4000-8000-{1:x12}", pid, number),
                    pointShopItemId = ItemId });
                var content = new StringContent(body, Encoding.UTF8, "application/json");
                var response = client.PostAsync(root + "/api/v3/point-shop-items/purchase", content).Result;
                var purchase = JsonConvert.DeserializeObject<Purchase>(response.Content.ReadAsStringAsync().Result);
                if (purchase.status != "Completed") throw new Exception("not completed");
            }
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
            watch.Restart();
            one(WarmUp + 1 + number);
            took[number] = watch.Elapsed.TotalMilliseconds * 1e3;
        }
        cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
        Array.Sort(took);
        Console.WriteLine("p50 {0:f1} cpu {1:f1}", took[count / 2], cpu.TotalMilliseconds * 1e3 / count);
    }
}
